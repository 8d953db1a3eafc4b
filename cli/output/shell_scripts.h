// Scripts that a user's shell reads at its start.
#ifndef CLI_OUTPUT_SHELL_SCRIPTS_H_
#define CLI_OUTPUT_SHELL_SCRIPTS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

/// Completion for `shell` (bash, zsh, fish, powershell), which asks `docker-machine complete` for
/// each word. INVALID_ARGUMENT for another shell.
absl::StatusOr<std::string> CompletionScript(absl::string_view shell);

/// The function `docker-machine use`, and __docker_machine_ps1 for prompts, for `shell` (bash, zsh,
/// fish). INVALID_ARGUMENT for another shell.
absl::StatusOr<std::string> ShellFunctions(absl::string_view shell);

}  // namespace machine::cli

#endif  // CLI_OUTPUT_SHELL_SCRIPTS_H_
