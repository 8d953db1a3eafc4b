#include "tests/fakes/amazonec2/service_model.h"

#include <gtest/gtest.h>

#include <string>

namespace machine::fakes {
namespace {

constexpr char kModel[] = R"({
  "operations": {"Run": {"input": {"shape": "Run"}}},
  "shapes": {
    "Text": {"type": "string"}, "Number": {"type": "integer"}, "Flag": {"type": "boolean"},
    "Color": {"type": "string", "enum": ["red", "blue"]},
    "Tag": {"type": "structure", "members": {"Key": {"shape": "Text"}}},
    "Tags": {"type": "list", "member": {"shape": "Tag", "locationName": "item"}},
    "Run": {"type": "structure", "required": ["Count"], "members": {
      "Count": {"shape": "Number", "locationName": "count"}, "Dry": {"shape": "Flag"},
      "Color": {"shape": "Color"}, "Sets": {"shape": "Text", "locationName": "x", "queryName": "Y"},
      "Tags": {"shape": "Tags", "locationName": "Tag"}}}}})";

struct FormCase {
  const char* label;
  const char* body;
  /// What is wrong; empty for nothing.
  const char* message;
};
class FormTest : public testing::TestWithParam<FormCase> {};
TEST_P(FormTest, FitsOrNot) {
  const auto model = ServiceModel::Parse(kModel);
  ASSERT_TRUE(model.ok()) << model.status();
  const absl::Status status = model->Check(ParseForm(GetParam().body));
  EXPECT_EQ(std::string(status.message()), GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    Forms, FormTest,
    testing::ValuesIn<FormCase>({
        {"Everything", "Action=Run&Version=1&Count=2&Dry=true&Color=red&Y=a%20b&Tag.1.Key=k", ""},
        {"UnknownAction", "Action=Walk", "no such action"},
        {"Missing", "Action=Run", "Run: Count is missing"},
        {"UnknownName", "Action=Run&Count=1&Colour=red", "Run: Colour is unknown"},
        {"UnknownInAList", "Action=Run&Count=1&Tag.1.Kay=k", "Run: Tag.1: Kay is unknown"},
        {"ListWithAGap", "Action=Run&Count=1&Tag.2.Key=k", "Run: Tag has no element 1"},
        {"WrongNumber", "Action=Run&Count=one", "Run: Count is no whole number"},
        {"WrongFlag", "Action=Run&Count=1&Dry=yes", "Run: Dry is neither true nor false"},
        {"WrongValue", "Action=Run&Count=1&Color=green", "Run: Color may not be \"green\""},
        {"TextForAList", "Action=Run&Count=1&Tag=k", "Run: Tag is a list, not a text"},
        {"LocationForAQueryName", "Action=Run&Count=1&X=a", "Run: X is unknown"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::fakes
