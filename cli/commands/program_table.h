// The one table of flags and commands, from which help, manual pages and completion come.
#ifndef CLI_COMMANDS_PROGRAM_TABLE_H_
#define CLI_COMMANDS_PROGRAM_TABLE_H_

#include <string>
#include <vector>

#include "cli/args/environment.h"
#include "cli/args/flags.h"
#include "cli/args/help.h"

namespace machine::cli {

/// Where machines are kept when nothing else is said.
std::string DefaultStoragePath(const Environment& env);

/// Flags before the command.
std::vector<Flag> GlobalFlags(const Environment& env);

/// The whole program.
ProgramInfo ProgramTable(const Environment& env);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_PROGRAM_TABLE_H_
