#include "drivers/sdk/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using machine::v1::FlagSpec;
using machine::v1::OptionValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

OptionValue Text(absl::string_view name, absl::string_view value) {
  OptionValue option;
  option.set_name(std::string(name));
  option.set_string_value(std::string(value));
  return option;
}

OptionValue Number(absl::string_view name, int64_t value) {
  OptionValue option;
  option.set_name(std::string(name));
  option.set_int_value(value);
  return option;
}

OptionValue Secret(absl::string_view name, absl::string_view value) {
  OptionValue option;
  option.set_name(std::string(name));
  option.set_secret_value(std::string(value));
  return option;
}

OptionValue List(absl::string_view name, std::vector<std::string> values) {
  OptionValue option;
  option.set_name(std::string(name));
  for (std::string& value : values) option.mutable_list_value()->add_values(std::move(value));
  return option;
}

Flags TestFlags() {
  return Flags()
      .String("x-address")
      .Usage("Address")
      .Env("X_ADDRESS")
      .Env("X_ADDR")
      .Required()
      .String("x-token")
      .Usage("Token")
      .Secret()
      .String("x-size")
      .Usage("Size")
      .Default("small")
      .OneOf({"small", "large"})
      .Int("x-port")
      .Usage("Port")
      .Default(22)
      .Range(1, 65535)
      .Bool("x-spot")
      .Usage("Spot")
      .Alias("x-cheap")
      .StringList("x-tag")
      .Usage("Tag")
      .OneOf({"a", "b"});
}

absl::StatusOr<Options> Complete(std::vector<OptionValue> values,
                                 Flags::Strictness strictness = Flags::Strictness::kCreate) {
  return TestFlags().Complete("x", values, strictness);
}

TEST(FlagsTest, FillsInDefaultsAndKeepsWhatWasGiven) {
  OptionValue spot;
  spot.set_name("x-cheap");  // By its other name.
  spot.set_bool_value(true);
  const absl::StatusOr<Options> options =
      Complete({Text("x-address", "h"), Secret("x-token", "t"), spot, List("x-tag", {"b", "a"})});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->GetString("x-address"), "h");
  EXPECT_EQ(options->GetSecret("x-token"), "t");
  EXPECT_EQ(options->GetString("x-size"), "small");
  EXPECT_EQ(options->GetInt("x-port"), 22);
  EXPECT_TRUE(options->GetBool("x-spot"));
  EXPECT_THAT(options->GetList("x-tag"), ElementsAre("b", "a"));
}

TEST(FlagsTest, SaysWhatHasAValue) {
  const absl::StatusOr<Options> options = Complete({Text("x-address", "h"), Text("x-token", "")});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->Has("x-address"));
  EXPECT_TRUE(options->Has("x-size"));
  EXPECT_FALSE(options->Has("x-token")) << "an empty text counts as not given";
  EXPECT_FALSE(options->GetBool("x-spot"));
  std::vector<std::string> names;
  for (const OptionValue& value : options->ToProto()) names.push_back(value.name());
  EXPECT_THAT(names, ElementsAre("x-address", "x-size", "x-port"));
}

TEST(FlagsTest, ASecretGivenAsTextIsOneFromThenOn) {
  const absl::StatusOr<Options> options =
      Complete({Text("x-address", "h"), Text("x-token", "hush")});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->ToProto()[1].secret_value(), "hush");
}

TEST(FlagsTest, RefusesWhatTheSchemaDoesNotAllow) {
  OptionValue unset_secret;
  unset_secret.set_name("x-token");
  unset_secret.set_secret_ref("sealed");
  const struct {
    const char* label;
    std::vector<OptionValue> values;
    machine::v1::ErrorReason reason;
    const char* message;
  } cases[] = {
      {"unknown",
       {Text("x-address", "h"), Text("y", "")},
       machine::v1::ERROR_REASON_UNKNOWN_DRIVER_OPTION,
       "x driver has no option --y"},
      {"missing",
       {},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "x driver requires the --x-address option (environment variable X_ADDRESS or X_ADDR)"},
      {"empty",
       {Text("x-address", "")},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "requires the --x-address option"},
      {"text for a number",
       {Text("x-address", "h"), Text("x-port", "22")},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-port: takes a whole number"},
      {"number for a text",
       {Number("x-address", 1)},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-address: takes a text"},
      {"out of range",
       {Text("x-address", "h"), Number("x-port", 65536)},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-port: 65536 is not from 1 to 65535"},
      {"not in the list",
       {Text("x-address", "h"), Text("x-size", "huge")},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-size: \"huge\" is not one of small, large"},
      {"one element not in the list",
       {Text("x-address", "h"), List("x-tag", {"a", "c"})},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-tag: \"c\" is not one of a, b"},
      {"a reference in place of a secret",
       {Text("x-address", "h"), unset_secret},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-token: its secret value"},
      {"a secret where none belongs",
       {Secret("x-address", "h")},
       machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE,
       "--x-address: takes a text"},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.label);
    const absl::Status status = Complete(row.values).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(common::ReasonOf(status), row.reason);
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.message));
  }
}

TEST(FlagsTest, AMachineOfAnOlderDriverStaysUsable) {
  const absl::StatusOr<Options> options =
      Complete({Text("x-retired", "v"), Text("x-size", "no longer made"), Number("x-port", 2222)},
               Flags::Strictness::kExisting);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->GetInt("x-port"), 2222);
  EXPECT_EQ(options->GetString("x-size"), "small");
  EXPECT_EQ(options->GetString("x-address"), "");
}

TEST(FlagsTest, FindsFaultsOfTheSchema) {
  const struct {
    const char* label;
    Flags flags;
    const char* message;
  } cases[] = {
      {"twice", Flags().String("a").Usage("A").Int("a").Usage("A"), "exists twice"},
      {"alias twice", Flags().String("a").Usage("A").Int("b").Usage("B").Alias("a"), "alias a"},
      {"no usage", Flags().String("a"), "no usage"},
      {"required and default", Flags().String("a").Usage("A").Default("x").Required(), "required"},
      {"default not allowed", Flags().String("a").Usage("A").Default("x").OneOf({"y"}), "default"},
      {"default of another type", Flags().Int("a").Usage("A").Default("x"), "default"},
      {"secret number", Flags().Int("a").Usage("A").Secret(), "secret"},
      {"content nowhere", Flags().String("a").Usage("A").ContentTo("b"), "content option"},
  };
  EXPECT_TRUE(TestFlags().CheckSchema().ok()) << TestFlags().CheckSchema();
  for (const auto& row : cases) {
    SCOPED_TRACE(row.label);
    EXPECT_THAT(std::string(row.flags.CheckSchema().message()), HasSubstr(row.message));
  }
}

TEST(OptionsDeathTest, AskingForAnUnknownFlagIsABug) {
  const Options options = *Complete({Text("x-address", "h")});
  EXPECT_DEATH(options.GetString("x-adress"), "");
  EXPECT_DEATH(options.GetString("x-token"), "") << "a secret is not a text";
}

}  // namespace
}  // namespace machine::driver
