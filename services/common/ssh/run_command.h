// A whole command on a streaming session: input in, output collected, exit awaited.
#ifndef SERVICES_COMMON_SSH_RUN_COMMAND_H_
#define SERVICES_COMMON_SSH_RUN_COMMAND_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

using OpenSession = std::function<absl::StatusOr<std::shared_ptr<SshSession>>(SessionCallbacks)>;

/// Runs what `open` starts, as SshConnection::Run() documents it. CommandOptions::env is not used.
absl::StatusOr<CommandResult> RunToEnd(const OpenSession& open, const CommandOptions& options);

/// `command` with `env` exported before it.
std::string WithEnv(absl::string_view command, const std::map<std::string, std::string>& env);

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_RUN_COMMAND_H_
