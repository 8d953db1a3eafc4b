// Questions to the user.
#ifndef CLI_COMMANDS_PROMPT_H_
#define CLI_COMMANDS_PROMPT_H_

#include "absl/strings/string_view.h"
#include "cli/output/console.h"

namespace machine::cli {

/// Asks `question` and reads a line; true when it begins with y or Y. The end of input means no.
bool Confirm(Console& console, absl::string_view question);

}  // namespace machine::cli

#endif  // CLI_COMMANDS_PROMPT_H_
