#include "cli/args/flags.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace machine::cli {
namespace {

std::vector<Flag> Flags() {
  return {
      {.names = {"driver", "d"}, .default_value = "none", .env_vars = {"MACHINE_DRIVER"}},
      {.names = {"debug", "D"}, .type = FlagType::kBool, .env_vars = {"MACHINE_DEBUG", "DEBUG"}},
      {.names = {"timeout", "t"}, .type = FlagType::kInt, .default_value = "10"},
      {.names = {"engine-label"}, .type = FlagType::kList, .env_vars = {"LABELS"}},
  };
}

absl::StatusOr<ParsedArgs> Parse(const std::vector<std::string>& args,
                                 const FakeEnvironment& env = {}, ParseOptions options = {}) {
  return ParseArgs(Flags(), args, env, options);
}

using Strings = std::vector<std::string>;

TEST(ParseArgsTest, DefaultsHoldWhenNothingIsGiven) {
  const auto args = Parse({});
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args->String("driver"), "none");
  EXPECT_FALSE(args->IsSet("driver"));
  EXPECT_EQ(args->Int("timeout"), 10);
  EXPECT_FALSE(args->Bool("debug"));
  EXPECT_TRUE(args->List("engine-label").empty());
}

struct SpellingCase {
  absl::string_view label;
  Strings args;
};
class SpellingTest : public testing::TestWithParam<SpellingCase> {};
TEST_P(SpellingTest, GivesDriverAndName) {
  const auto args = Parse(GetParam().args);
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_EQ(args->String("driver"), "virtualbox");
  EXPECT_TRUE(args->IsSet("driver"));
  EXPECT_EQ(args->operands, Strings{"dev"});
}
INSTANTIATE_TEST_SUITE_P(Spellings, SpellingTest,
                         testing::ValuesIn<SpellingCase>({
                             {"TwoDashes", {"--driver", "virtualbox", "dev"}},
                             {"OneDash", {"-driver", "virtualbox", "dev"}},
                             {"Short", {"-d", "virtualbox", "dev"}},
                             {"ShortWithTwoDashes", {"--d", "virtualbox", "dev"}},
                             {"Equals", {"--driver=virtualbox", "dev"}},
                             {"OneDashEquals", {"-driver=virtualbox", "dev"}},
                             {"ShortEquals", {"-d=virtualbox", "dev"}},
                             {"AfterTheName", {"dev", "--driver", "virtualbox"}},
                             {"LastOneWins", {"-d", "none", "dev", "-d", "virtualbox"}},
                             {"BeforeTheEndOfFlags", {"-d", "virtualbox", "--", "dev"}},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(ParseArgsTest, ValueMayLookLikeAFlag) {
  const auto args = Parse({"-engine-label", "-x=1", "--timeout", "-1"});
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_EQ(args->List("engine-label"), Strings{"-x=1"});
  EXPECT_EQ(args->Int("timeout"), -1);
}

TEST(ParseArgsTest, ListGathersInOrder) {
  const auto args = Parse({"--engine-label", "a=b=c", "dev", "-engine-label=d"});
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args->List("engine-label"), (Strings{"a=b=c", "d"}));
}

TEST(ParseArgsTest, BoolTakesNoFollowingArgument) {
  const auto args = Parse({"-debug", "dev"});
  ASSERT_TRUE(args.ok());
  EXPECT_TRUE(args->Bool("debug"));
  EXPECT_EQ(args->operands, Strings{"dev"});
  EXPECT_FALSE(Parse({"--debug=false"})->Bool("debug"));
}

TEST(ParseArgsTest, DoubleDashEndsFlagsAndSingleDashIsAnOperand) {
  const auto args = Parse({"-", "--", "--driver", "x"});
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args->operands, (Strings{"-", "--driver", "x"}));
}

TEST(ParseArgsTest, StopsAtTheCommandWhenAsked) {
  const auto args = Parse({"-D", "ssh", "dev", "-D"}, {}, {.stop_at_operand = true});
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args->operands, (Strings{"ssh", "dev", "-D"}));
}

TEST(ParseArgsTest, HelpIsNoticedAnywhere) {
  EXPECT_TRUE(Parse({"dev", "-h"})->help);
  EXPECT_TRUE(Parse({"--help"})->help);
  EXPECT_TRUE(Parse({"-help"})->help);
  EXPECT_FALSE(Parse({"--", "-h"})->help);
}

TEST(ParseArgsTest, EnvironmentGivesWhatFlagsDoNot) {
  const FakeEnvironment env({{"MACHINE_DRIVER", "google"}, {"DEBUG", "1"}, {"LABELS", "a,b"}});
  const auto args = Parse({}, env);
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args->String("driver"), "google");
  EXPECT_TRUE(args->IsSet("driver"));
  EXPECT_TRUE(args->Bool("debug"));
  EXPECT_EQ(args->List("engine-label"), (Strings{"a", "b"}));
  EXPECT_EQ(Parse({"-d", "none"}, env)->String("driver"), "none");
}

TEST(ParseArgsTest, BoolVariableOfAnotherProgramIsIgnored) {
  EXPECT_FALSE(Parse({}, FakeEnvironment({{"DEBUG", "express:*"}}))->Bool("debug"));
}

struct RefusedCase {
  absl::string_view label;
  Strings args;
  absl::string_view message;
};
class RefusedTest : public testing::TestWithParam<RefusedCase> {};
TEST_P(RefusedTest, NamesTheFlag) {
  const auto args = Parse(GetParam().args);
  ASSERT_EQ(args.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(args.status().message(), GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    Arguments, RefusedTest,
    testing::ValuesIn<RefusedCase>({
        {"Unknown", {"--bogus"}, "flag provided but not defined: -bogus"},
        {"UnknownWithValue", {"-bogus=1"}, "flag provided but not defined: -bogus"},
        {"NoClustersOfShortFlags", {"-Dd"}, "flag provided but not defined: -Dd"},
        {"MissingValue", {"dev", "--driver"}, "flag needs an argument: -driver"},
        {"NotANumber",
         {"-t", "soon"},
         "invalid value \"soon\" for flag -t: a whole number is wanted"},
        {"NotABool",
         {"-D=maybe"},
         "invalid boolean value \"maybe\" for -D: true or false is wanted"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

// A parser that knows POSIX short flags reads `-driver x` as `-d river` and an operand.
class SingleDashTest : public testing::TestWithParam<const char*> {};
TEST_P(SingleDashTest, IsTheLongFlag) {
  const std::string name = GetParam();
  std::vector<Flag> flags = {{.names = {name}}};
  // Every letter is also a short flag, so that a wrong split would be taken silently.
  for (char c = 'a'; c <= 'z'; ++c) flags.push_back({.names = {std::string(1, c)}});
  const auto args =
      ParseArgs(flags, Strings{absl::StrCat("-", name), "value", "dev"}, FakeEnvironment());
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_EQ(args->String(name), "value");
  EXPECT_EQ(args->operands, Strings{"dev"});
}
INSTANTIATE_TEST_SUITE_P(
    LongFlags, SingleDashTest,
    testing::Values("driver", "engine-install-url", "engine-opt", "engine-insecure-registry",
                    "engine-registry-mirror", "engine-label", "engine-storage-driver", "engine-env",
                    "swarm-image", "swarm-discovery", "swarm-strategy", "swarm-opt",
                    "swarm-join-opt", "swarm-host", "swarm-addr", "tls-san", "on-failure",
                    "ssh-timeout", "url", "generic-ip-address", "generic-ssh-user",
                    "generic-ssh-key", "generic-ssh-port", "generic-engine-port", "filter",
                    "format", "timeout", "shell", "storage-path", "host", "tls-ca-cert",
                    "tls-ca-key", "tls-client-cert", "tls-client-key", "github-api-token",
                    "bugsnag-api-token"));

TEST(PeekFlagTest, FindsAValueAmongUnknownFlags) {
  const absl::string_view names[] = {"driver", "d"};
  EXPECT_EQ(PeekFlag(Strings{"--x=1", "-d", "generic", "dev"}, names), "generic");
  EXPECT_EQ(PeekFlag(Strings{"dev", "--driver=generic"}, names), "generic");
  EXPECT_EQ(PeekFlag(Strings{"dev", "-driver"}, names), "");
  EXPECT_EQ(PeekFlag(Strings{"dev", "--", "-d", "x"}, names), std::nullopt);
}

TEST(GoQuoteTest, QuotesAsGoDoes) {
  EXPECT_EQ(GoQuote("a \"b\"\\\n\x01"), "\"a \\\"b\\\"\\\\\\n\\x01\"");
}

}  // namespace
}  // namespace machine::cli
