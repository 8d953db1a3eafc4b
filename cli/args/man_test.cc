#include "cli/args/man.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace machine::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ProgramInfo Program() {
  return {.version = "1.0.0, build abc",
          .flags = {{.names = {"debug", "D"}, .type = FlagType::kBool, .usage = "Enable debug"}},
          .commands = {{.name = "ls",
                        .summary = "List machines",
                        .description = ".dot first",
                        .flags = {{.names = {"output", "o"},
                                   .usage = "Print it as",
                                   .default_value = "x\\y",
                                   .env_vars = {"OUT"},
                                   .values = {"json", "yaml"}}},
                        .examples = {{"docker-machine ls -q", "names"}}},
                       {.name = "inner", .summary = "Hidden", .hidden = true}}};
}

TEST(ManTest, CommandPageHasFlagsWithAllThereIsToSay) {
  const ProgramInfo program = Program();
  const std::string page = CommandManPage(program, program.commands[0]);
  EXPECT_THAT(page, HasSubstr(".TH \"DOCKER\\-MACHINE\\-LS\" 1 \"\" \"docker\\-machine 1.0.0\""));
  EXPECT_THAT(page, HasSubstr("docker\\-machine\\-ls \\- List machines\n"));
  EXPECT_THAT(page,
              HasSubstr(".TP\n\\fB\\-\\-output\\fR, \\fB\\-o\\fR \\fIVALUE\\fR\nPrint it as.\n"
                        "One of json, yaml.\nDefault: x\\ey.\nEnvironment: OUT.\n"));
  EXPECT_THAT(page, HasSubstr(".TP\n\\fBdocker\\-machine ls \\-q\\fR\nnames\n"));
}

TEST(ManTest, TextIsNoRoffCommand) {
  const ProgramInfo program = Program();
  EXPECT_THAT(CommandManPage(program, program.commands[0]), HasSubstr("\n\\&.dot first\n"));
}

TEST(ManTest, ProgramPageListsCommandsButHiddenOnes) {
  const std::string page = ProgramManPage(Program());
  EXPECT_THAT(page, HasSubstr(".TP\n\\fBls\\fR\nList machines\n"));
  EXPECT_THAT(page, HasSubstr("\\fBdocker\\-machine\\-ls\\fR(1)"));
  EXPECT_THAT(page, Not(HasSubstr("inner")));
}

}  // namespace
}  // namespace machine::cli
