// No command is forgotten, and transcripts are read as they are written.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"
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

TEST(GoldenCasesTest, WhatTheReadmePointsToIsThere) {
  const std::string readme = common::ReadFile("tests/golden/README.md").value_or("");
  int named = 0;
  for (absl::string_view word : absl::StrSplit(readme, absl::ByAnyChar("`/"))) {
    if (!absl::EndsWith(word, ".txt") || absl::StrContains(word, ' ')) continue;
    if (word == "COMMAND.txt" || word == "NAME.txt") continue;
    EXPECT_TRUE(fs::exists(absl::StrCat("tests/golden/cases/", word)) ||
                fs::exists(absl::StrCat("tests/golden/cases_e2e/", word)))
        << word;
    ++named;
  }
  EXPECT_GT(named, 50);
}

// The commands of the specification: each with a success, an error and its help.
class SpecCommandTest : public testing::TestWithParam<const char*> {};

TEST_P(SpecCommandTest, IsShownToSucceedToFailAndToHelp) {
  const std::string command = GetParam();
  const std::string file = absl::StrCat("tests/golden/cases/", command, ".txt");
  const std::string call = absl::StrCat("docker-machine ", command);
  int successes = 0;
  int errors = 0;
  int help = 0;
  for (const TranscriptStep& step : ParseTranscript(common::ReadFile(file).value_or(""))) {
    if (!absl::StrContains(step.command, call)) continue;
    const bool asks_help =
        (absl::EndsWith(step.command, " -h") && !absl::StrContains(step.command, " -- ")) ||
        step.command == absl::StrCat("docker-machine help ", command);
    if (asks_help && step.exit_code == 0) {
      ++help;
      EXPECT_TRUE(absl::StrContains(step.out, "Examples:")) << step.command;
    } else {
      ++(step.exit_code == 0 ? successes : errors);
    }
  }
  EXPECT_GT(successes, 0);
  EXPECT_GT(errors, 0);
  EXPECT_GT(help, 0);
}

INSTANTIATE_TEST_SUITE_P(Spec, SpecCommandTest,
                         testing::Values("active", "config", "create", "env", "help", "inspect",
                                         "ip", "kill", "ls", "regenerate-certs", "restart", "rm",
                                         "scp", "ssh", "start", "stop", "upgrade", "url"),
                         [](const auto& info) {
                           return absl::StrReplaceAll(info.param, {{"-", "_"}});
                         });

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
