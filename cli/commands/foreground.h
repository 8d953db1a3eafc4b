// Other programs that take this command's place for a while.
#ifndef CLI_COMMANDS_FOREGROUND_H_
#define CLI_COMMANDS_FOREGROUND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/args/environment.h"

namespace machine::cli {

/// The path of program `name` in the user's PATH; nothing when there is none.
std::optional<std::string> FindInPath(const Environment& env, absl::string_view name);

/// The path of this program's own file.
std::string OwnProgram();

/// Runs `argv` on this process's terminal and streams. Ctrl-C is the program's affair meanwhile;
/// SIGTERM and SIGHUP are passed on to it, and its end is waited for. One at a time.
/// @return its exit status, 255 where a signal ended it; NOT_FOUND and the like when it cannot be
///   started.
absl::StatusOr<int> RunInForeground(const std::vector<std::string>& argv);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_FOREGROUND_H_
