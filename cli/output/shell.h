// Setting and unsetting variables in the syntax of each shell.
#ifndef CLI_OUTPUT_SHELL_H_
#define CLI_OUTPUT_SHELL_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

enum class Shell { kPosix, kFish, kPowershell, kCmd, kTcsh, kEmacs };

/// The shell called `name`, else the one at `login_shell`, the value of SHELL. A word not known is
/// taken for a POSIX shell. INVALID_ARGUMENT when both are empty.
absl::StatusOr<Shell> DetectShell(absl::string_view name, absl::string_view login_shell);

/// Lines that set `variables`. Values are quoted so that the shell takes them as they are.
std::string SetVariables(Shell shell,
                         const std::vector<std::pair<std::string, std::string>>& variables);

/// Lines that unset variables.
std::string UnsetVariables(Shell shell, const std::vector<std::string>& names);

/// Comment lines that say how to have the shell run the output of `command_line`.
std::string UsageHint(Shell shell, const std::vector<std::string>& command_line);

/// `text` for a command line of a POSIX shell: as it is when it needs no quotes, else in single
/// quotes.
std::string QuoteForPosix(absl::string_view text);

}  // namespace machine::cli

#endif  // CLI_OUTPUT_SHELL_H_
