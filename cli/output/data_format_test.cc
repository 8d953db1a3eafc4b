#include "cli/output/data_format.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

using nlohmann::ordered_json;

ordered_json Data() {
  return ordered_json::parse(
      R"({"name":"dev","n2":3,"on":true,"none":null,"list":["a",{"b":"no","c":[]}],"empty":[],"o":{}})");
}

TEST(DataFormatTest, JsonKeepsTheOrderOfKeys) {
  EXPECT_EQ(Serialize(DataFormat::kJson, ordered_json::parse(R"({"b":1,"a":"x"})")),
            "{\n    \"b\": 1,\n    \"a\": \"x\"\n}\n");
}

TEST(DataFormatTest, YamlNestsByIndentation) {
  EXPECT_EQ(Serialize(DataFormat::kYaml, Data()),
            "name: \"dev\"\nn2: 3\n\"on\": true\nnone: null\n"
            "list:\n  - \"a\"\n  - b: \"no\"\n    c: []\nempty: []\no: {}\n");
  EXPECT_EQ(Serialize(DataFormat::kYaml, ordered_json::parse(R"([[1,2],{"a":{"b":1}}])")),
            "- - 1\n  - 2\n- a:\n    b: 1\n");
}

TEST(DataFormatTest, YamlQuotesKeysThatSomeReaderTakesForSomethingElse) {
  EXPECT_EQ(Serialize(DataFormat::kYaml,
                      ordered_json::parse(
                          R"({"a_B1":1,"org.label":1,"Yes":1,"1a":1,"":1,"a b":1,"null":1})")),
            "a_B1: 1\n\"org.label\": 1\n\"Yes\": 1\n\"1a\": 1\n\"\": 1\n\"a b\": 1\n"
            "\"null\": 1\n");
}

TEST(DataFormatTest, YamlOfNothingAndOfAScalar) {
  EXPECT_EQ(Serialize(DataFormat::kYaml, ordered_json::array()), "[]\n");
  EXPECT_EQ(Serialize(DataFormat::kYaml, "x"), "\"x\"\n");
}

TEST(DataFormatTest, OneOfManyIsALineOrADocument) {
  const ordered_json data = ordered_json::parse(R"({"b":["x\ny"],"a":1})");
  EXPECT_EQ(SerializeNext(DataFormat::kJson, data), "{\"b\":[\"x\\ny\"],\"a\":1}\n");
  EXPECT_EQ(SerializeNext(DataFormat::kYaml, data), "---\nb:\n  - \"x\\ny\"\na: 1\n");
}

TEST(DataFormatTest, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(Serialize(DataFormat::kYaml, ordered_json{{"a", "\xff"}}), "a: \"\xEF\xBF\xBD\"\n");
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
