// machine-orchestrator user …: the first users of a shared orchestrator, from its own host.
#ifndef SERVICES_ORCHESTRATOR_USER_COMMAND_H_
#define SERVICES_ORCHESTRATOR_USER_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace machine::orchestrator {

/// Runs the words after "user", against the orchestrator that runs on the storage path. What is to
/// be printed on standard output; INVALID_ARGUMENT for words that are not understood; UNAVAILABLE
/// when no orchestrator runs there.
absl::StatusOr<std::string> RunUserCommand(const std::vector<std::string>& words);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_USER_COMMAND_H_
