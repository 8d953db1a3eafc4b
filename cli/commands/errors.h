// Errors as the original words them: the one place that turns an orchestrator's reasons into its
// texts.
#ifndef CLI_COMMANDS_ERRORS_H_
#define CLI_COMMANDS_ERRORS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace machine::cli {

inline constexpr char kNoDefaultMachine[] =
    "Error: No machine name(s) specified and no \"default\" machine exists";
inline constexpr char kExpectedOneMachine[] = "Error: Expected one machine name as an argument";
inline constexpr char kExpectedMachines[] =
    "Error: Expected to get one or more machine names as arguments";
inline constexpr char kTooManyArguments[] = "Error: Too many arguments given";
inline constexpr char kInvalidHostname[] =
    "Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -";
inline constexpr char kHostNotRunning[] = "Host is not running";

/// The same error with the message to print for a call about `machine`, an id.
absl::Status UserError(const absl::Status& status, absl::string_view machine);

/// All of `errors` that are errors as one, messages joined by line ends; OK when none is.
absl::Status JoinErrors(const std::vector<absl::Status>& errors);

/// The process's exit status for an error.
int ExitCodeOf(const absl::Status& status);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_ERRORS_H_
