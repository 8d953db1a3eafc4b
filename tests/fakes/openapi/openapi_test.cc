#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "tests/fakes/openapi/description.h"

namespace machine::fakes {
namespace {

constexpr char kOpenApi3[] = R"json({
  "openapi": "3.0.0",
  "servers": [{"url": "https://api.example.com/v2"}],
  "paths": {
    "/things": {
      "get": {"parameters": [
        {"$ref": "#/components/parameters/page"},
        {"name": "kind", "in": "query", "required": true,
         "schema": {"type": "string", "enum": ["big", "small"]}}]},
      "post": {"requestBody": {"required": true, "content": {"application/json": {
        "schema": {"oneOf": [{"$ref": "#/components/schemas/one"},
                             {"$ref": "#/components/schemas/many"}]}}}}}
    },
    "/things/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true,
                      "schema": {"anyOf": [{"type": "integer"}, {"type": "string",
                                                                 "pattern": "^[0-9a-f:]+$"}]}}],
      "delete": {}
    },
    "/things/latest": {"get": {}}
  },
  "components": {
    "parameters": {"page": {"name": "page", "in": "query",
                            "schema": {"type": "integer", "minimum": 1}}},
    "schemas": {
      "base": {"type": "object", "required": ["size"], "properties": {
        "size": {"type": "string", "maxLength": 8},
        "keys": {"type": "array", "maxItems": 2,
                 "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "note": {"type": "string", "nullable": true},
        "nested": {"type": "object", "properties": {"deep": {"type": "boolean"}}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object"}}},
      "one": {"allOf": [{"type": "object", "required": ["name"],
                         "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}}},
                        {"$ref": "#/components/schemas/base"}]},
      "many": {"allOf": [{"type": "object", "required": ["names"],
                          "properties": {"names": {"type": "array"}}},
                         {"$ref": "#/components/schemas/base"}]}
    }
  }
})json";

constexpr char kSwagger2[] = R"json({
  "swagger": "2.0",
  "basePath": "/api",
  "paths": {
    "/groups/{group}/ips/{ip}": {
      "put": {"parameters": [
        {"name": "group", "in": "path", "required": true, "type": "string"},
        {"name": "ip", "in": "path", "required": true, "type": "string"},
        {"name": "api-version", "in": "query", "required": true, "type": "string"},
        {"name": "parameters", "in": "body", "required": true,
         "schema": {"$ref": "#/definitions/ip"}}]}
    }
  },
  "definitions": {
    "ip": {"allOf": [{"$ref": "#/definitions/resource"}], "properties": {
      "properties": {"$ref": "#/definitions/format"}}},
    "resource": {"properties": {"location": {"type": "string"}}},
    "format": {"properties": {"method": {"type": "string", "enum": ["Static", "Dynamic"]}}}
  }
})json";

struct RequestCase {
  absl::string_view label;
  Request request;
  /// Part of the complaint; empty where the request fits.
  absl::string_view complaint;
};

Request Post(std::string body, std::string content_type = "application/json; charset=utf-8") {
  return {.method = "POST",
          .path = "/v2/things",
          .headers = {{"Content-Type", std::move(content_type)}},
          .body = std::move(body)};
}

Request Put(std::multimap<std::string, std::string> query, std::string body) {
  return {.method = "PUT",
          .path = "/api/groups/g/ips/i",
          .query = std::move(query),
          .headers = {{"content-type", "application/json"}},
          .body = std::move(body)};
}

absl::Status CheckBy(absl::string_view description, const Request& request) {
  const auto parsed = ApiDescription::Parse(description);
  return parsed.ok() ? parsed->Check(request) : parsed.status();
}

void ExpectVerdict(const absl::Status& status, absl::string_view complaint) {
  if (complaint.empty()) {
    EXPECT_TRUE(status.ok()) << status;
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(std::string(complaint)));
  }
}

class OpenApi3Test : public testing::TestWithParam<RequestCase> {};
TEST_P(OpenApi3Test, FitsOrNot) {
  ExpectVerdict(CheckBy(kOpenApi3, GetParam().request), GetParam().complaint);
}
INSTANTIATE_TEST_SUITE_P(
    Requests, OpenApi3Test,
    testing::ValuesIn<RequestCase>({
        {"KnownQuery",
         {.method = "GET", .path = "/v2/things", .query = {{"page", "2"}, {"kind", "big"}}},
         ""},
        {"UnknownPath", {.method = "GET", .path = "/v2/thing"}, "no such path and method"},
        {"UnknownMethod", {.method = "PUT", .path = "/v2/things"}, "no such path and method"},
        {"UnknownQuery",
         {.method = "GET", .path = "/v2/things", .query = {{"kind", "big"}, {"pages", "2"}}},
         "query parameter pages is not one"},
        {"MissingQuery", {.method = "GET", .path = "/v2/things"}, "parameter kind is missing"},
        {"QueryOfAnotherType",
         {.method = "GET", .path = "/v2/things", .query = {{"kind", "big"}, {"page", "x"}}},
         "parameter page is \"x\", not integer"},
        {"QueryTooSmall",
         {.method = "GET", .path = "/v2/things", .query = {{"kind", "big"}, {"page", "0"}}},
         "less than 1"},
        {"QueryOutsideItsEnum",
         {.method = "GET", .path = "/v2/things", .query = {{"kind", "odd"}}},
         "not one of"},
        {"PathValueOfOneAlternative", {.method = "DELETE", .path = "/v2/things/ab:cd"}, ""},
        {"PathValueOfNoAlternative", {.method = "DELETE", .path = "/v2/things/xyz"}, "match"},
        {"FixedPathBeforeTemplate", {.method = "GET", .path = "/v2/things/latest"}, ""},
        {"Body", Post(R"({"name":"a","size":"s","keys":[1,"b"],"note":null,"free":{"x":1},
                         "labels":{"k":"v"},"nested":{"deep":true}})"),
         ""},
        {"OtherAlternative", Post(R"({"names":["a"],"size":"s"})"), ""},
        {"NoBody", Post(""), "the body is missing"},
        {"NotJson", Post("name=a"), "not JSON"},
        {"OtherContentType", Post("{}", "text/plain"), "Content-Type \"text/plain\""},
        {"MissingProperty", Post(R"({"name":"a"})"), "body.size is missing"},
        {"UnknownProperty", Post(R"({"name":"a","size":"s","sise":"s"})"),
         "POST /v2/things: body.sise is not a property"},
        {"UnknownNestedProperty", Post(R"({"name":"a","size":"s","nested":{"depp":true}})"),
         "body.nested.depp is not a property"},
        {"WrongType", Post(R"({"name":"a","size":5})"), "body.size is number, not string"},
        {"WrongElement", Post(R"({"name":"a","size":"s","keys":[true]})"), "body.keys[0]"},
        {"WrongLabel", Post(R"({"name":"a","size":"s","labels":{"k":1}})"), "body.labels.k"},
        {"TooLong", Post(R"({"name":"a","size":"123456789"})"), "too long"},
        {"TooMany", Post(R"({"name":"a","size":"s","keys":[1,2,3]})"), "too many"},
        {"NoMatch", Post(R"({"name":"A","size":"s"})"), "does not match"},
        {"NullWhereNoneIsAllowed", Post(R"({"name":"a","size":null})"), "body.size is null"},
        {"BodyWhereNoneBelongs",
         {.method = "DELETE", .path = "/v2/things/1", .body = "{}"},
         "takes no body"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

class Swagger2Test : public testing::TestWithParam<RequestCase> {};
TEST_P(Swagger2Test, FitsOrNot) {
  ExpectVerdict(CheckBy(kSwagger2, GetParam().request), GetParam().complaint);
}
INSTANTIATE_TEST_SUITE_P(
    Requests, Swagger2Test,
    testing::ValuesIn<RequestCase>({
        {"Body",
         Put({{"api-version", "1"}}, R"({"location":"l","properties":{"method":"Static"}})"), ""},
        {"MissingVersion", Put({}, "{}"), "parameter api-version is missing"},
        {"MissingBody", Put({{"api-version", "1"}}, ""), "the body is missing"},
        {"UnknownProperty", Put({{"api-version", "1"}}, R"({"locaton":"l"})"),
         "body.locaton is not a property"},
        {"WrongEnum", Put({{"api-version", "1"}}, R"({"properties":{"method":"X"}})"),
         "body.properties.method"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(FitsOneOfTest, TheDescriptionThatKnowsThePathDecides) {
  const FakeServer::Checker checker =
      FitsOneOf({*ApiDescription::Parse(kOpenApi3), *ApiDescription::Parse(kSwagger2)});
  EXPECT_TRUE(checker(Put({{"api-version", "1"}}, "{}")).ok());
  ExpectVerdict(checker(Put({}, "{}")), "api-version");
  ExpectVerdict(checker(Post("{}")), "is missing");
  ExpectVerdict(checker({.method = "GET", .path = "/"}), "no such path");
}

TEST(ApiDescriptionTest, OtherDocumentsAreRefused) {
  EXPECT_EQ(ApiDescription::Parse("{}").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ApiDescription::Parse("x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ApiDescription::Load("/nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST(ApiDescriptionTest, EveryPublishedDescriptionCanBeRead) {
  const std::optional<std::string> folder = DescriptionsFolder();
  if (!folder.has_value()) GTEST_SKIP() << "MACHINE_SPECS_DIR names no folder of descriptions";
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*folder)) {
    const std::string name = entry.path().filename();
    if (!absl::StrContains(name, "openapi3") && !absl::StrContains(name, "swagger2")) continue;
    const auto description = ApiDescription::Load(entry.path());
    EXPECT_TRUE(description.ok()) << name << ": " << description.status();
    ++read;
  }
  EXPECT_GT(read, 0);
}

}  // namespace
}  // namespace machine::fakes
