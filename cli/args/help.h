// Help texts in the original's layout.
#ifndef CLI_ARGS_HELP_H_
#define CLI_ARGS_HELP_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "cli/args/flags.h"

namespace machine::cli {

/// What the operands of a command are, for completion.
enum class Operands {
  kNone,
  kMachine,
  kMachines,
  /// A machine, then words of the user's own.
  kMachineAndWords,
  /// "[machine:]path".
  kMachinePaths,
  kCommand,
  kShell,
};

/// A command line of --help, and what it is good for.
struct Example {
  std::string line;
  std::string purpose;
};

/// What help says of a command.
struct CommandInfo {
  std::string name;
  /// One line, also in the list of commands.
  std::string summary;
  /// "Argument is a machine name." and the like; may be empty.
  std::string description;
  std::vector<Flag> flags;
  /// Paragraphs of its own, divided by empty lines; may be empty.
  std::string details = {};
  Operands operands = Operands::kNone;
  std::vector<Example> examples = {};
  /// Called by other programs only: not in any list.
  bool hidden = false;
};

/// What help says of the program.
struct ProgramInfo {
  /// "1.0.0, build 0123456".
  std::string version;
  std::vector<Flag> flags;
  std::vector<CommandInfo> commands;
};

std::string CommandHelp(const CommandInfo& info);
std::string ProgramHelp(const ProgramInfo& info);

}  // namespace machine::cli

#endif  // CLI_ARGS_HELP_H_
