// No command is forgotten, and transcripts are read as they are written.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/golden/transcript.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;

TEST(GoldenCasesTest, EveryCommandHasATranscript) {
  const World world;
  const Outcome help = world.Run("--help");
  const std::string list = help.out.substr(help.out.find("\nCommands:\n") + 11);
  int commands = 0;
  for (absl::string_view line : absl::StrSplit(list, '\n')) {
    if (!absl::StartsWith(line, "  ")) break;
    const absl::string_view name = absl::StripLeadingAsciiWhitespace(line);
    const std::string command(name.substr(0, name.find(' ')));
    EXPECT_TRUE(fs::exists(absl::StrCat("tests/golden/cases/", command, ".txt"))) << command;
    ++commands;
  }
  EXPECT_GE(commands, 18) << help;
}

TEST(TranscriptTest, IsReadAsItIsWritten) {
  const std::string text =
      "# What it is.\n$ echo a\n< in\n| a\n|\n|~ no end\n! err\n= 3\n\n# Another.\n$ true\n= 0\n";
  const std::vector<TranscriptStep> steps = ParseTranscript(text);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].command, "echo a");
  EXPECT_EQ(steps[0].input, "in\n");
  EXPECT_EQ(steps[0].out, "a\n\nno end");
  EXPECT_EQ(steps[0].err, "err\n");
  EXPECT_EQ(steps[0].exit_code, 3);
  EXPECT_EQ(steps[1].heading, "\n# Another.\n");
  EXPECT_EQ(TranscriptText(steps), text);
}

}  // namespace
}  // namespace machine::tests
