// No command is forgotten, and transcripts are read as they are written.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
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

// The errors that the documentation and the original's messages give each command of the
// specification. Where two commands at once, a time limit or a real host are wanted, another test
// shows them; see the README.
struct DocumentedError {
  absl::string_view command;
  std::vector<absl::string_view> texts;
};
constexpr absl::string_view kNoSuchMachine =
    "Docker machine \"nope\" does not exist. Use \"docker-machine ls\" to list machines. Use "
    "\"docker-machine create\" to add a new one.\n";
constexpr absl::string_view kNoDefault =
    "Error: No machine name(s) specified and no \"default\" machine exists\n";
constexpr absl::string_view kOneName = "Error: Expected one machine name as an argument\n";

const std::vector<DocumentedError>& DocumentedErrors() {
  static const auto* const errors = new std::vector<DocumentedError>{
      {"active", {"No active host found\n", "Error: Too many arguments given"}},
      {"config",
       {"Error running connection boilerplate: Host is not running\n",
        "Error running connection boilerplate: Error checking and/or regenerating the certs: There "
        "was an error validating certificates for host ",
        "is not a swarm master. The --swarm flag is intended for use with swarm masters\n",
        kNoSuchMachine, kNoDefault, kOneName}},
      {"create",
       {"Error: No machine name specified\n", "Invalid command line. Found extra arguments [",
        "Error creating machine: Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z "
        ". -\n",
        "Docker machine \"box\" already exists\n",
        "Driver \"bogus\" not found. Do you have the plugin binary "
        "\"docker-machine-driver-bogus\" accessible in your PATH?\n",
        "Error with pre-create check: ", "Error creating machine: ",
        "Error setting machine configuration from flags provided: ",
        "Error parsing swarm discovery: ", "no longer exists in the engine",
        "needs a hosted service that no longer exists",
        "no driver was chosen. Available drivers: ", "Incorrect Usage.\n"}},
      {"env",
       {"Error checking TLS connection: Host is not running\n",
        "Error checking TLS connection: Error checking and/or regenerating the certs: There was an "
        "error validating certificates for host ",
        "You can attempt to regenerate them using 'docker-machine regenerate-certs [name]'.\nBe "
        "advised that this will trigger a Docker daemon restart which might stop running "
        "containers.\n",
        "is not a swarm master. The --swarm flag is intended for use with swarm masters\n",
        "Error: Expected no machine name when the -u flag is present\n", "Error: Unknown shell\n",
        kNoSuchMachine, kNoDefault, kOneName}},
      {"help",
       {"docker-machine: 'bogus' is not a docker-machine command. See 'docker-machine --help'.\n"}},
      {"inspect", {"template parsing error: ", kNoSuchMachine, kNoDefault, kOneName}},
      {"ip", {"Error getting IP address: Host is not running\n", kNoSuchMachine, kNoDefault}},
      {"kill", {"Machine \"a\" is already stopped.\n", kNoSuchMachine, kNoDefault}},
      {"ls",
       {"Unsupported filter key 'foo'\n", "Unsupported filter syntax\n",
        "template parsing error: ", "Incorrect Usage.\n"}},
      {"regenerate-certs", {kNoSuchMachine, kNoDefault}},
      {"restart", {kNoSuchMachine, kNoDefault}},
      {"rm",
       {"Error removing host \"nope\": ", "Error removing host \"stuck\": ",
        "Error: Expected to get one or more machine names as arguments\n"}},
      {"scp",
       {"Improper number of arguments.\n", "The input was malformed\n",
        "Error loading host: Docker machine \"nope\" does not exist. ",
        "Error loading host: Host is not running\n",
        "You must have a copy of the scp binary locally to use the scp feature\n",
        "You must have a copy of the rsync binary locally to use the --delta option\n"}},
      {"ssh",
       {"Error: Cannot run SSH command: Host \"dev\" is not running\n", "exit status 3\n",
        kNoSuchMachine, kNoDefault}},
      {"start", {"Machine \"a\" is already running.\n", kNoSuchMachine, kNoDefault}},
      {"status", {kNoSuchMachine, kNoDefault, kOneName}},
      {"stop", {"Machine \"a\" is already stopped.\n", kNoSuchMachine, kNoDefault}},
      {"upgrade", {kNoSuchMachine, kNoDefault}},
      {"url", {"Host is not running\n", kNoSuchMachine, kNoDefault, kOneName}},
      {"version", {"Host is not running\n", kNoSuchMachine, kOneName}},
      {"provision", {kNoSuchMachine, kNoDefault}},
      {"mount",
       {"Improper number of arguments.\n", "The input was malformed\n",
        "Error loading host: Docker machine \"nope\" does not exist. ",
        "You must have a copy of the sshfs binary locally to use the mount feature\n",
        "You must have a copy of the fusermount binary locally to use the unmount option\n"}},
  };
  return *errors;
}

TEST(GoldenCasesTest, EveryDocumentedErrorIsShown) {
  std::vector<TranscriptStep> steps;
  for (const char* const folder : {"tests/golden/cases", "tests/golden/cases_e2e"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".txt") continue;
      const std::string text = common::ReadFile(entry.path().string()).value_or("");
      for (TranscriptStep& step : ParseTranscript(text)) steps.push_back(std::move(step));
    }
  }
  for (const auto& [command, texts] : DocumentedErrors()) {
    const std::string call = absl::StrCat("docker-machine ", command);
    for (absl::string_view text : texts) {
      EXPECT_TRUE(std::any_of(steps.begin(), steps.end(),
                              [&](const TranscriptStep& step) {
                                return absl::StrContains(step.command, call) &&
                                       absl::StrContains(absl::StrCat(step.err, step.out), text);
                              }))
          << call << " is nowhere seen to say: " << text;
    }
  }
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
