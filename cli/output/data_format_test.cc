#include "cli/output/data_format.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

using nlohmann::ordered_json;

ordered_json Data() {
  return ordered_json::parse(
      R"({"name":"dev","n":3,"on":true,"none":null,"list":["a",{"b":"no"}],"empty":[],"o":{}})");
}

TEST(DataFormatTest, JsonKeepsTheOrderOfKeys) {
  EXPECT_EQ(Serialize(DataFormat::kJson, ordered_json::parse(R"({"b":1,"a":"x"})")),
            "{\n    \"b\": 1,\n    \"a\": \"x\"\n}\n");
}

TEST(DataFormatTest, YamlNestsByIndentation) {
  EXPECT_EQ(Serialize(DataFormat::kYaml, Data()),
            "\"name\": \"dev\"\n\"n\": 3\n\"on\": true\n\"none\": null\n"
            "\"list\":\n  - \"a\"\n  -\n    \"b\": \"no\"\n\"empty\": []\n\"o\": {}\n");
}

TEST(DataFormatTest, YamlOfNothingAndOfAScalar) {
  EXPECT_EQ(Serialize(DataFormat::kYaml, ordered_json::array()), "[]\n");
  EXPECT_EQ(Serialize(DataFormat::kYaml, "x"), "\"x\"\n");
}

TEST(DataFormatTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Serialize(DataFormat::kYaml, ordered_json{{"a", "\xff"}}), "\"a\": \"\xEF\xBF\xBD\"\n");
}

struct FlagCase {
  std::vector<std::string> args;
  bool ok;
  std::optional<DataFormat> format;
};
TEST(DataFormatTest, FlagNamesAFormat) {
  const std::vector<Flag> flags = {OutputFlag()};
  for (const FlagCase& c : std::vector<FlagCase>{{{}, true, std::nullopt},
                                                 {{"-o", "json"}, true, DataFormat::kJson},
                                                 {{"--output=yaml"}, true, DataFormat::kYaml},
                                                 {{"-o", "xml"}, false, std::nullopt}}) {
    const auto parsed = ParseArgs(flags, c.args, FakeEnvironment({}));
    ASSERT_TRUE(parsed.ok());
    const auto format = DataFormatOf(*parsed);
    ASSERT_EQ(format.ok(), c.ok);
    if (c.ok) {
      EXPECT_EQ(*format, c.format);
    } else {
      EXPECT_EQ(format.status().message(), "invalid value \"xml\" for --output: json or yaml");
    }
  }
}

}  // namespace
}  // namespace machine::cli
