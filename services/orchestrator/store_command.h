// `machine-orchestrator store …`: what an administrator does with a store while nobody serves it.
#ifndef SERVICES_ORCHESTRATOR_STORE_COMMAND_H_
#define SERVICES_ORCHESTRATOR_STORE_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace machine::orchestrator {

/// Runs the words after `store` and returns what to print.
/// Errors: INVALID_ARGUMENT for wrong words; as store_copy.h.
absl::StatusOr<std::string> RunStoreCommand(const std::vector<std::string>& words);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_COMMAND_H_
