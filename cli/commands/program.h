// The whole program, but for main().
#ifndef CLI_COMMANDS_PROGRAM_H_
#define CLI_COMMANDS_PROGRAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/args/environment.h"
#include "cli/commands/interrupts.h"
#include "cli/connect/connector.h"
#include "cli/connect/target.h"
#include "cli/output/console.h"

namespace machine::cli {

/// What the program gets from outside.
struct ProgramParts {
  Console& console;
  const Environment& env;
  Interrupts& interrupts;
  /// Makes the connector for what the global flags say.
  std::function<std::unique_ptr<Connector>(TargetOptions)> connect;
};

/// Runs `command_line`, whose first word is the program's own name. Prints errors.
/// @return the exit status.
int RunProgramLine(const ProgramParts& parts, const std::vector<std::string>& command_line);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_PROGRAM_H_
