// How a command on the same host reaches the orchestrator that serves there.
#ifndef SERVICES_ORCHESTRATOR_LOCAL_CHANNEL_H_
#define SERVICES_ORCHESTRATOR_LOCAL_CHANNEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/common/rpc/channel.h"
#include "services/orchestrator/config.h"

namespace machine::orchestrator {

/// To the orchestrator on `config`'s storage path. UNAVAILABLE when none runs there.
absl::StatusOr<common::Channel> ConnectLocal(const Config& config);

/// Runs the words after "health": asks that orchestrator whether it serves. "serving" to print;
/// an error when it does not.
absl::StatusOr<std::string> RunHealthCommand(const std::vector<std::string>& words);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_LOCAL_CHANNEL_H_
