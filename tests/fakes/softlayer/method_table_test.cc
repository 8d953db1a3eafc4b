#include "tests/fakes/softlayer/method_table.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace machine::fakes {
namespace {

constexpr char kTable[] = R"json({
  "SoftLayer_X": {
    "createObject": {"rest": ["POST", "https://h/rest/v3.1/SoftLayer_X/createObject"],
      "input": [["Hostname", "String", "Required"], ["count", "Integer", ""],
                ["place.name", "String", "Required"], ["keys", "[K](/k)[]", ""]]},
    "getObject": {"rest": ["GET", "https://h/rest/v3.1/SoftLayer_X/{id}/getObject"]}
  }
})json";

struct Case {
  absl::string_view label;
  const char* method;
  const char* path;
  const char* body;
  bool fits;
};

class MethodTableTest : public testing::TestWithParam<Case> {};

TEST_P(MethodTableTest, SaysWhetherARequestFits) {
  const auto table = MethodTable::Parse(kTable);
  ASSERT_TRUE(table.ok());
  Request request;
  request.method = GetParam().method;
  request.path = absl::StrCat("/rest/v3.1/", GetParam().path);
  request.body = GetParam().body;
  const absl::Status status = table->Check(request);
  EXPECT_EQ(status.ok(), GetParam().fits) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Requests, MethodTableTest,
    testing::ValuesIn<Case>({
        {"Get", "GET", "SoftLayer_X/7/getObject", "", true},
        {"WithoutId", "GET", "SoftLayer_X/getObject", "", false},
        {"OtherVerb", "DELETE", "SoftLayer_X/7/getObject", "", false},
        {"UnknownMethod", "GET", "SoftLayer_X/7/explode", "", false},
        {"UnknownService", "GET", "SoftLayer_Y/7/getObject", "", false},
        {"GetWithABody", "GET", "SoftLayer_X/7/getObject", "{}", false},
        {"Create", "POST", "SoftLayer_X/createObject",
         R"({"parameters": [{"hostname": "a", "place": {"name": "b"}, "keys": [{"id": 1}]}]})",
         true},
        {"MissingPlace", "POST", "SoftLayer_X/createObject",
         R"({"parameters": [{"hostname": "a"}]})", false},
        {"WrongType", "POST", "SoftLayer_X/createObject",
         R"({"parameters": [{"hostname": "a", "place": {"name": "b"}, "count": "1"}]})", false},
        {"UnknownField", "POST", "SoftLayer_X/createObject",
         R"({"parameters": [{"hostname": "a", "place": {"name": "b"}, "colour": 1}]})", false},
        {"NoParameters", "POST", "SoftLayer_X/createObject", R"({"hostname": "a"})", false},
        {"NotJson", "POST", "SoftLayer_X/createObject", "x", false},
    }),
    [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::fakes
