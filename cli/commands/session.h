// A command or a login shell on a machine, through the orchestrator.
#ifndef CLI_COMMANDS_SESSION_H_
#define CLI_COMMANDS_SESSION_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/commands/command.h"

namespace machine::cli {

struct SessionOptions {
  /// As the remote shell gets it; empty means a login shell.
  std::string command;
  /// With a terminal, whose size follows this one's.
  bool pty = false;
};

/// Runs it with this process's standard streams.
/// @return its exit status, 255 where a signal ended it, or the error to print.
absl::StatusOr<int> RunSession(CommandContext& context, const std::string& machine,
                               const SessionOptions& options);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_SESSION_H_
