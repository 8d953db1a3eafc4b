// A command of docker-machine.
#ifndef CLI_COMMANDS_COMMAND_H_
#define CLI_COMMANDS_COMMAND_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/args/environment.h"
#include "cli/args/flags.h"
#include "cli/args/help.h"
#include "cli/commands/interrupts.h"
#include "cli/connect/orchestrator.h"
#include "cli/output/console.h"

namespace machine::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;
inline constexpr int kExitPreCreateCheckFailed = 3;
inline constexpr int kExitInstanceGone = 4;

/// What commands work with. All references outlive the command.
struct CommandContext {
  Console& console;
  const Environment& env;
  Orchestrator& orchestrator;
  Interrupts& interrupts;
  /// As an absolute path.
  std::string storage_path;
  bool debug = false;
  /// --native-ssh: the session through the orchestrator, never the user's ssh.
  bool native_ssh = false;
  /// Flags that have another docker-machine use the same orchestrator.
  std::vector<std::string> global_flags;
  /// Only errors are printed while an operation runs.
  bool quiet = false;
  /// Lines of operations begin with "INFO[SECONDS] ".
  bool elapsed = false;
  /// The whole command line, for hints that repeat it.
  std::vector<std::string> command_line;

  /// Prints `text` unless the command is to be quiet.
  void Say(absl::string_view text) const {
    if (!quiet) console.Out(text);
  }
};

/// --quiet of the commands that run operations.
Flag QuietFlag();

/// One command. Objects are made for each run of the program and hold nothing.
class Command {
 public:
  virtual ~Command() = default;

  virtual CommandInfo info() const = 0;

  /// Runs with arguments parsed by info().flags.
  /// @return the exit status, or an error to be printed as it is; see ExitCodeOf().
  virtual absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) = 0;

  /// Runs with the arguments as they were given. For commands that must see them so.
  virtual absl::StatusOr<int> RunRaw(CommandContext& context, const std::vector<std::string>& args);
};

/// An error whose message is printed after the text of --help.
absl::Status ErrorWithHelp(CommandContext& context, const Command& command,
                           absl::string_view message);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_COMMAND_H_
