#include "services/provisioner/host/shell_text.h"

#include <gtest/gtest.h>
#include <stdio.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace machine::provisioner {
namespace {

// What a real shell makes of the quoted text.
std::string ThroughShell(absl::string_view text) {
  const std::string command = absl::StrCat("printf %s ", ShellQuote(text));
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::string output;
  char buffer[256];
  while (const size_t n = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, n);
  pclose(pipe);
  return output;
}

TEST(ShellQuoteTest, ShellSeesTheSameText) {
  for (absl::string_view text : {"", "plain", "two words", "it's", "'", "''", "$HOME `id` $(id)",
                                 "a\\b", "\"q\"", "!x", "line\nbreak", "-n", "*", "a;b&&c|d>e"}) {
    EXPECT_EQ(ThroughShell(text), text);
  }
}

TEST(ShellVariableTest, IsAnAssignmentOnALineOfItsOwn) {
  EXPECT_EQ(ShellVariable("url", "https://x/?a='b'"), "url='https://x/?a='\\''b'\\'''\n");
}

TEST(PrintableTextTest, KeepsTextAndReplacesWhatIsNot) {
  EXPECT_EQ(PrintableText("two\nlines"), "two\nlines");
  EXPECT_EQ(PrintableText("tab\there\r\n"), "tab here\n");
  EXPECT_EQ(PrintableText("Größe €"), "Größe €");
  EXPECT_EQ(PrintableText("\x1b[31mred"), "[31mred");
  EXPECT_EQ(PrintableText("bad \xff\xc3 end"), "bad ?? end");
  EXPECT_EQ(PrintableText("\xc0\xaf"), "??");         // Overlong "/".
  EXPECT_EQ(PrintableText("\xed\xa0\x80"), "???");    // A surrogate.
  EXPECT_EQ(PrintableText("0123456789", 4), "6789");  // The end is where the error stands.
}

}  // namespace
}  // namespace machine::provisioner
