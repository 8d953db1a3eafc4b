#include "drivers/sdk/cloud/json_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::driver {
namespace {

using fakes::Fault;
using testing::HasSubstr;

class Echo final : public fakes::FakeServer {
 public:
  Echo() {
    for (const char* const method : {"GET", "POST", "DELETE"}) {
      Route(method, "/v1/echo", [](const fakes::Request& request) {
        return fakes::Response{.body = Json{{"method", request.method},
                                            {"q", request.Query("q")},
                                            {"token", request.Header("X-Token")},
                                            {"type", request.Header("Content-Type")},
                                            {"body", request.body}}
                                           .dump()};
      });
    }
    Route("GET", "/v1/nothing",
          [](const fakes::Request&) { return fakes::Response{.status = 204}; });
    Route("GET", "/v1/wrong", [](const fakes::Request&) {
      return fakes::Response{.status = 422, .body = R"({"message":"size \u0007is wrong"})"};
    });
    Start();
  }
  ~Echo() override { Stop(); }
};

class JsonApiTest : public testing::Test {
 protected:
  JsonApi Api() {
    ApiDialect dialect;
    dialect.provider = "Echo";
    dialect.authorize = [](const common::CallScope&, common::HttpRequest& request) {
      request.headers.Set("X-Token", "t");
      return absl::OkStatus();
    };
    dialect.message_of = [](const Json& body) { return Text(body, "message"); };
    dialect.on_response = [this](const common::HttpResponse&) { ++responses_; };
    dialect.backoff = {absl::Milliseconds(1), absl::Milliseconds(2)};
    return JsonApi(http_, server_.url() + "/v1", nullptr, dialect);
  }

  absl::StatusOr<ApiResponse> Send(const ApiRequest& request) {
    CallRecord record;
    return Api().Send(*MakeCall("u", record), request);
  }

  Echo server_;
  common::HttpClient http_;
  std::atomic<int> responses_ = 0;
};

TEST_F(JsonApiTest, SendsQueryBodyAndCredentials) {
  const auto response = Send({.method = "POST",
                              .path = "/echo",
                              .query = {{"q", "a b&c"}},
                              .body = {{"name", "\"quoted\""}}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(Text(response->body, "q"), "a b&c");
  EXPECT_EQ(Text(response->body, "token"), "t");
  EXPECT_EQ(Text(response->body, "type"), "application/json");
  EXPECT_EQ(Text(response->body, "body"), R"({"name":"\"quoted\""})");
  EXPECT_EQ(responses_, 1);
}

TEST_F(JsonApiTest, AnAnswerWithoutBodyIsNull) {
  const auto response = Send({.path = "/nothing"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 204);
  EXPECT_TRUE(response->body.is_null());
}

TEST_F(JsonApiTest, AnErrorHasTheProvidersWords) {
  EXPECT_EQ(Send({.path = "/wrong"}).status(),
            absl::InvalidArgumentError("Echo: size  is wrong (HTTP 422)"));
  EXPECT_EQ(Send({.path = "/none"}).status(), absl::NotFoundError("Echo: refused (HTTP 404)"));
}

struct FaultCase {
  absl::string_view label;
  std::string method;
  bool retry_safe;
  Fault::Kind kind;
  int times;
  absl::StatusCode code;
  int requests;
};
class JsonApiFaultTest : public JsonApiTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(JsonApiFaultTest, RepeatsWhatIsSafe) {
  const FaultCase& c = GetParam();
  server_.Order({.kind = c.kind, .times = c.times});
  const auto response = Send({.method = c.method, .path = "/echo", .retry_safe = c.retry_safe});
  EXPECT_EQ(response.status().code(), c.code) << response.status();
  EXPECT_EQ(server_.CountOf(""), c.requests);
  EXPECT_EQ(MayHaveHappened(response.status()), c.code == absl::StatusCode::kUnavailable);
}
INSTANTIATE_TEST_SUITE_P(
    Faults, JsonApiFaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledGet", "GET", false, Fault::Kind::kThrottle, 2, absl::StatusCode::kOk, 3},
        {"ThrottledPost", "POST", false, Fault::Kind::kThrottle, 2, absl::StatusCode::kOk, 3},
        {"ThrottledForever", "POST", false, Fault::Kind::kThrottle, 9,
         absl::StatusCode::kResourceExhausted, 5},
        {"Get500", "GET", false, Fault::Kind::kStatus, 2, absl::StatusCode::kOk, 3},
        {"Delete500", "DELETE", false, Fault::Kind::kStatus, 1, absl::StatusCode::kOk, 2},
        {"Post500", "POST", false, Fault::Kind::kStatus, 1, absl::StatusCode::kUnavailable, 1},
        {"SafePost500", "POST", true, Fault::Kind::kStatus, 1, absl::StatusCode::kOk, 2},
        {"GarbageGet", "GET", false, Fault::Kind::kGarbage, 1, absl::StatusCode::kOk, 2},
        {"GarbagePost", "POST", false, Fault::Kind::kGarbage, 1, absl::StatusCode::kUnavailable, 1},
        {"LostPost", "POST", false, Fault::Kind::kLoseReply, 1, absl::StatusCode::kUnavailable, 1},
        {"LostGet", "GET", false, Fault::Kind::kLoseReply, 1, absl::StatusCode::kOk, 2},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(JsonApiTest, ACancelledCallEndsAtOnce) {
  server_.Order({.kind = Fault::Kind::kHold});
  auto cancellation = std::make_shared<common::Cancellation>();
  std::thread canceller([&] {
    while (server_.CountOf("") == 0) std::this_thread::yield();
    cancellation->Cancel();
  });
  CallRecord record;
  const auto call = MakeCall("u", record, absl::Minutes(2), cancellation);
  EXPECT_TRUE(absl::IsCancelled(Api().Send(*call, {.path = "/echo"}).status()));
  canceller.join();
}

TEST(JsonTest, WhatIsMissingReadsAsEmpty) {
  const Json json = ParseJson(R"({"s":"t","n":5,"d":1.5,"b":true,"l":["a",1,"b"],"i":"12"})");
  EXPECT_EQ(Text(json, "s"), "t");
  EXPECT_EQ(Text(json, "n"), "");
  EXPECT_EQ(Number(json, "n"), 5);
  EXPECT_EQ(Number(json, "i"), 12);
  EXPECT_EQ(Number(json, "s"), 0);
  EXPECT_EQ(Decimal(json, "d"), 1.5);
  EXPECT_TRUE(Flag(json, "b"));
  EXPECT_FALSE(Flag(json, "x"));
  EXPECT_THAT(Texts(json, "l"), testing::ElementsAre("a", "b"));
  EXPECT_TRUE(Elements(json, "s").empty());
  EXPECT_TRUE(Member(Json(), "x").is_null());
  EXPECT_TRUE(ParseJson("{").is_discarded());
  EXPECT_EQ(DumpJson("\xff"), "\"\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace machine::driver
