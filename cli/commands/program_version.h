// Which docker-machine this is.
#ifndef CLI_COMMANDS_PROGRAM_VERSION_H_
#define CLI_COMMANDS_PROGRAM_VERSION_H_

#include <string>

namespace machine::cli {

/// "1.0.0, build 0123456".
std::string ProgramVersion();

}  // namespace machine::cli

#endif  // CLI_COMMANDS_PROGRAM_VERSION_H_
