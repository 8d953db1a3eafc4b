#include "tests/fakes/http/fake_server.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "services/common/http/http_client.h"

namespace machine::fakes {
namespace {

using common::HttpResponse;

class Counter final : public FakeServer {
 public:
  Counter() {
    Route("POST", "/things", [this](const Request&) {
      ++made;
      return Response{.status = 201, .body = "{}"};
    });
    Route("GET", "/things/{id}/parts/{part}", [](const Request& request) {
      return Response{.body = absl::StrCat(request.captures[0], ",", request.captures[1], ",",
                                           request.Query("q"), ",", request.Header("x-a"))};
    });
    CheckRequests([](const Request& request) {
      return request.path == "/wrong" ? absl::InvalidArgumentError("it is wrong")
                                      : absl::OkStatus();
    });
    Start();
  }
  ~Counter() override { Stop(); }

  std::atomic<int> made = 0;
};

class FakeServerTest : public testing::Test {
 protected:
  absl::StatusOr<HttpResponse> Send(std::string method, absl::string_view path) {
    return client_.Send({.method = std::move(method),
                         .url = absl::StrCat(server_.url(), path),
                         .headers = {{"X-A", "b"}},
                         .max_attempts = 1});
  }
  int StatusOf(std::string method, absl::string_view path) {
    const auto response = Send(std::move(method), path);
    return response.ok() ? response->status : 0;
  }

  Counter server_;
  common::HttpClient client_;
};

TEST_F(FakeServerTest, RoutesByMethodAndPattern) {
  const auto response = Send("GET", "/things/7/parts/a%20b?q=x%26y");
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "7,a b,x&y,b");
  EXPECT_EQ(StatusOf("GET", "/things/7"), 404);
  EXPECT_EQ(StatusOf("GET", "/things//parts/a"), 404);
  EXPECT_EQ(StatusOf("POST", "/things"), 201);
  EXPECT_EQ(server_.CountOf("GET /things/{id}/parts/{part}"), 1);
  EXPECT_EQ(server_.CountOf(""), 4);
}

struct FaultCase {
  absl::string_view label;
  Fault::Kind kind;
  /// 0 where no answer comes.
  int status;
  int made;
};
class FaultTest : public FakeServerTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, HappensToTheRequestsItIsOrderedFor) {
  server_.Order({.kind = GetParam().kind, .route = "POST /things", .after = 1, .status = 503});
  EXPECT_EQ(StatusOf("GET", "/things/7/parts/8"), 200);
  EXPECT_EQ(StatusOf("POST", "/things"), 201);
  EXPECT_EQ(StatusOf("POST", "/things"), GetParam().status);
  EXPECT_EQ(server_.made, 1 + GetParam().made);
  EXPECT_EQ(server_.pending_faults(), 0);
  EXPECT_EQ(StatusOf("POST", "/things"), 201);
}
INSTANTIATE_TEST_SUITE_P(Kinds, FaultTest,
                         testing::ValuesIn<FaultCase>({
                             {"Throttle", Fault::Kind::kThrottle, 429, 0},
                             {"Status", Fault::Kind::kStatus, 503, 0},
                             {"Garbage", Fault::Kind::kGarbage, 200, 0},
                             {"LoseReply", Fault::Kind::kLoseReply, 0, 1},
                             {"StatusAfterEffect", Fault::Kind::kStatusAfterEffect, 503, 1},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(FakeServerTest, HoldsARequestUntilItIsReleased) {
  server_.Order({.kind = Fault::Kind::kHold, .route = "POST /things"});
  std::thread sender([this] { EXPECT_EQ(StatusOf("POST", "/things"), 201); });
  while (server_.CountOf("POST /things") == 0) std::this_thread::yield();
  EXPECT_EQ(server_.made, 0);
  server_.Release();
  sender.join();
  EXPECT_EQ(server_.made, 1);
}

TEST_F(FakeServerTest, AWrongRequestFailsTheTest) {
  EXPECT_NONFATAL_FAILURE_ON_ALL_THREADS(EXPECT_EQ(StatusOf("GET", "/wrong"), 400), "it is wrong");
}

TEST(LagTest, ShowsAnObjectAfterSomeReads) {
  Lag lag;
  lag.Born("old");
  lag.Set(2);
  lag.Born("new");
  EXPECT_TRUE(lag.Read("old"));
  EXPECT_FALSE(lag.Read("new"));
  EXPECT_FALSE(lag.Read("new"));
  EXPECT_TRUE(lag.Read("new"));
}

}  // namespace
}  // namespace machine::fakes
