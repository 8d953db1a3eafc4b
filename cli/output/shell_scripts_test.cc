#include "cli/output/shell_scripts.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/process/process.h"
#include "services/common/process/run.h"

namespace machine::cli {
namespace {

// What can be told of PowerShell without one: strings that end, brackets that match, and variables.
class PowershellReader {
 public:
  explicit PowershellReader(const std::string& script) : script_(script) {
    while (at_ < script_.size()) Token();
    if (!open_.empty()) problems_ += absl::StrCat("not closed: ", open_, "\n");
  }

  const std::string& problems() const { return problems_; }
  const std::set<std::string>& used() const { return used_; }
  const std::set<std::string>& assigned() const { return assigned_; }

 private:
  void Token() {
    const char c = script_[at_];
    if (c == '#') return SkipTo(script_.find('\n', at_));
    if (c == '\'' || c == '"') return String(c);
    if (c == '$') return Variable();
    if (absl::StrContains("({[", c)) open_ += c;
    if (absl::StrContains(")}]", c)) Close(c);
    ++at_;
  }
  void SkipTo(size_t end) { at_ = end == std::string::npos ? script_.size() : end + 1; }
  void String(char quote) {
    const size_t end = script_.find(quote, at_ + 1);
    if (end == std::string::npos) problems_ += "a string does not end\n";
    SkipTo(end);
  }
  void Variable() {
    size_t end = at_ + 1;
    while (end < script_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(script_[end])) || script_[end] == '_')) {
      ++end;
    }
    const std::string name = script_.substr(at_ + 1, end - at_ - 1);
    used_.insert(name);
    at_ = end;
    size_t next = script_.find_first_not_of(' ', end);
    if (next == std::string::npos) return;
    // "$a = ", "$a, $b = " and "param($a, …)".
    if (script_[next] == '=' || script_[next] == ',' || open_.ends_with("{(")) {
      assigned_.insert(name);
    }
  }
  void Close(char c) {
    const char wanted = c == ')' ? '(' : c == '}' ? '{' : '[';
    if (!open_.empty() && open_.back() == wanted) {
      open_.pop_back();
    } else {
      problems_ += absl::StrCat("a ", std::string(1, c), " too many at byte ", at_, "\n");
    }
  }

  const std::string script_;
  size_t at_ = 0;
  std::string open_;
  std::string problems_;
  std::set<std::string> used_;
  std::set<std::string> assigned_;
};

TEST(CompletionScriptTest, PowershellsIsWellFormed) {
  const std::string script = CompletionScript("powershell").value();
  const PowershellReader reader(script);
  EXPECT_EQ(reader.problems(), "");
  for (const std::string& name : reader.used()) {
    // Its own.
    if (name == "_" || name == "null" || name == "PSNativeCommandArgumentPassing") continue;
    EXPECT_EQ(reader.assigned().count(name), 1U) << "$" << name << " is never set";
  }
}

// Whether each shell that is here can read its script.
TEST(CompletionScriptTest, TheOthersAreReadByTheirShells) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    if (!common::FindProgram(shell).ok()) continue;
    const auto result = common::RunProgram({shell, "-n", "-c", CompletionScript(shell).value()});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->exit_code, 0) << shell << ": " << result->stderr_data;
  }
}

}  // namespace
}  // namespace machine::cli
