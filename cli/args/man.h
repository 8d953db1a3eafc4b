// Manual pages (man(7)) of the program and its commands.
#ifndef CLI_ARGS_MAN_H_
#define CLI_ARGS_MAN_H_

#include <string>

#include "cli/args/help.h"

namespace machine::cli {

/// docker-machine(1).
std::string ProgramManPage(const ProgramInfo& program);

/// docker-machine-COMMAND(1).
std::string CommandManPage(const ProgramInfo& program, const CommandInfo& command);

}  // namespace machine::cli

#endif  // CLI_ARGS_MAN_H_
