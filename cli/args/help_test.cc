#include "cli/args/help.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

TEST(CommandHelpTest, LooksAsTheSpecShows) {
  EXPECT_EQ(CommandHelp({
                .name = "ls",
                .summary = "List machines",
                .flags = {{.names = {"quiet", "q"},
                           .type = FlagType::kBool,
                           .usage = "Enable quiet mode"},
                          {.names = {"filter"},
                           .type = FlagType::kList,
                           .usage = "Filter output based on conditions provided"}},
            }),
            "Usage: docker-machine ls [OPTIONS] [arg...]\n"
            "\n"
            "List machines\n"
            "\n"
            "Options:\n"
            "\n"
            "   --quiet, -q                                  Enable quiet mode\n"
            "   --filter [--filter option --filter option]   Filter output based on conditions "
            "provided\n");
}

TEST(CommandHelpTest, ShowsDefaultsVariablesAndDescription) {
  EXPECT_EQ(CommandHelp({
                .name = "create",
                .summary = "Create a machine",
                .description = "Argument is a machine name.",
                .flags = {{.names = {"driver", "d"},
                           .usage = "Driver",
                           .default_value = "none",
                           .env_vars = {"A", "B"}}},
            }),
            "Usage: docker-machine create [OPTIONS] [arg...]\n"
            "\n"
            "Create a machine\n"
            "\n"
            "Description:\n"
            "   Argument is a machine name.\n"
            "\n"
            "Options:\n"
            "\n"
            "   --driver, -d \"none\"  Driver [$A, $B]\n");
}

TEST(CommandHelpTest, CommandWithoutFlagsHasNoOptions) {
  EXPECT_EQ(CommandHelp({.name = "ip", .summary = "Get the IP address of a machine"}),
            "Usage: docker-machine ip [arg...]\n\nGet the IP address of a machine\n");
}

TEST(ProgramHelpTest, ListsFlagsAndCommands) {
  const std::string help = ProgramHelp({
      .version = "1.0.0, build abc",
      .flags = {{.names = {"debug", "D"}, .type = FlagType::kBool, .usage = "Enable debug mode"}},
      .commands = {{.name = "ls", .summary = "List machines"},
                   {.name = "regenerate-certs", .summary = "Regenerate"}},
  });
  EXPECT_EQ(help,
            "Usage: docker-machine [OPTIONS] COMMAND [arg...]\n"
            "\n"
            "Create and manage machines running Docker.\n"
            "\n"
            "Version: 1.0.0, build abc\n"
            "\n"
            "Options:\n"
            "  --debug, -D   Enable debug mode\n"
            "  --help, -h    show help\n"
            "  --version, -v print the version\n"
            "\n"
            "Commands:\n"
            "  ls                    List machines\n"
            "  regenerate-certs      Regenerate\n"
            "\n"
            "Run 'docker-machine COMMAND --help' for more information on a command.\n");
}

}  // namespace
}  // namespace machine::cli
