#include "cli/commands/prompt.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace machine::cli {

bool Confirm(Console& console, absl::string_view question) {
  console.Out(absl::StrCat(question, " (y/n): "));
  std::string answer;
  if (!console.ReadLine(answer) || answer.empty()) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

}  // namespace machine::cli
