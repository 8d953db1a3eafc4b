// Repetition, Retry-After and the rate limit, on a clock that jumps over every wait.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/http/http_client.h"
#include "services/common/http/test_server.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HttpRetryTest : public testing::Test {
 protected:
  HttpClient::Options Options() {
    HttpClient::Options options;
    options.clock = &clock_;
    options.random = [] { return 1.0; };
    options.on_delay = [this](const HttpDelay& delay) {
      delays_.push_back(delay);
      clock_.Advance(delay.delay);
    };
    return options;
  }

  std::vector<absl::Duration> Delays() const {
    std::vector<absl::Duration> delays;
    for (const HttpDelay& delay : delays_) delays.push_back(delay.delay);
    return delays;
  }

  FakeClock clock_;
  // Written by the client's thread before the answer is, and read after it.
  std::vector<HttpDelay> delays_;
};

/// Answers "503" as often as told and then "200"; counts.
class FlakyServer {
 public:
  explicit FlakyServer(int failures, int status = 503, std::string retry_after = "")
      : server_([=, this](httplib::Server& s) {
          const auto handler = [=, this](const httplib::Request&, httplib::Response& response) {
            if (++requests_ > failures) return response.set_content("fine", "text/plain");
            response.status = status;
            if (!retry_after.empty()) response.set_header("Retry-After", retry_after);
          };
          s.Get("/", handler);
          s.Post("/", handler);
          s.Put("/", handler);
          s.Delete("/", handler);
        }) {}

  std::string url() const { return server_.url("/"); }
  int requests() const { return requests_; }

 private:
  std::atomic<int> requests_ = 0;
  TestServer server_;
};

TEST_F(HttpRetryTest, APassingFailureIsWaitedOut) {
  FlakyServer server(3);
  HttpClient client(Options());
  const auto response = client.Send({.url = server.url()});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "fine");
  EXPECT_THAT(Delays(), ElementsAre(absl::Milliseconds(200), absl::Milliseconds(400),
                                    absl::Milliseconds(800)));
  EXPECT_EQ(delays_[0].attempt, 2);
  EXPECT_EQ(delays_[0].request, absl::StrCat("GET ", server.url()));
  EXPECT_EQ(delays_[0].cause.message(), "HTTP 503");
}

TEST_F(HttpRetryTest, AFailureThatStaysIsTheAnswerAfterTheLastAttempt) {
  FlakyServer server(100);
  HttpClient client(Options());
  EXPECT_EQ(client.Send({.url = server.url()})->status, 503);
  EXPECT_EQ(server.requests(), 5);
  EXPECT_EQ(client.Send({.url = server.url(), .max_attempts = 2})->status, 503);
  EXPECT_EQ(server.requests(), 7);
}

struct RepeatCase {
  absl::string_view label, method;
  bool retry_safe;
  int status, requests;
};
class RepeatTest : public HttpRetryTest, public testing::WithParamInterface<RepeatCase> {};
TEST_P(RepeatTest, OnlyWhereItIsSafeAndOfUse) {
  FlakyServer server(1, GetParam().status);
  HttpClient client(Options());
  const auto response = client.Send({.method = std::string(GetParam().method),
                                     .url = server.url(),
                                     .retry_safe = GetParam().retry_safe});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(server.requests(), GetParam().requests);
  EXPECT_EQ(response->status, GetParam().requests == 1 ? GetParam().status : 200);
}
INSTANTIATE_TEST_SUITE_P(Rows, RepeatTest,
                         testing::ValuesIn<RepeatCase>({
                             {"GetAfter429", "GET", false, 429, 2},
                             {"GetAfter502", "GET", false, 502, 2},
                             {"GetAfter504", "GET", false, 504, 2},
                             {"PutAfter503", "PUT", false, 503, 2},
                             {"DeleteAfter503", "DELETE", false, 503, 2},
                             {"PostIsNotRepeated", "POST", false, 503, 1},
                             {"PostSaidToBeSafe", "POST", true, 503, 2},
                             {"GetAfter500IsFinal", "GET", false, 500, 1},
                             {"GetAfter404IsFinal", "GET", false, 404, 1},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(HttpRetryTest, RetryAfterInSecondsIsObeyed) {
  FlakyServer server(1, 429, "7");
  HttpClient client(Options());
  EXPECT_EQ(client.Send({.url = server.url()})->status, 200);
  EXPECT_THAT(Delays(), ElementsAre(absl::Seconds(7)));
}

TEST_F(HttpRetryTest, RetryAfterAsADateIsObeyed) {
  const std::string date = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT",
                                            clock_.Now() + absl::Seconds(9), absl::UTCTimeZone());
  FlakyServer server(1, 503, date);
  HttpClient client(Options());
  EXPECT_EQ(client.Send({.url = server.url()})->status, 200);
  EXPECT_THAT(Delays(), ElementsAre(absl::Seconds(9)));
}

TEST_F(HttpRetryTest, AWaitBeyondTheDeadlineIsNotBegun) {
  FlakyServer server(1, 503, "3600");
  HttpClient client(Options());
  const auto response = client.Send({.url = server.url()});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(server.requests(), 1);
  EXPECT_THAT(Delays(), IsEmpty());
}

TEST_F(HttpRetryTest, AClosedPortIsTriedAgainAndThenReportedWithoutTheQuery) {
  const ClosedPort closed;
  HttpClient client(Options());
  const absl::Status status =
      client.Send({.url = absl::StrCat("http://127.0.0.1:", closed.port(), "/v1?token=secret")})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_PROVIDER_DOWN);
  EXPECT_EQ(delays_.size(), 4u);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr(absl::StrCat("GET http://127.0.0.1:", closed.port(), "/v1")));
  EXPECT_THAT(message, HasSubstr("Connection refused"));
  EXPECT_THAT(message, Not(HasSubstr("secret")));
}

TEST_F(HttpRetryTest, AnUnknownHostIsUnavailable) {
  HttpClient client(Options());
  const absl::Status status =
      client.Send({.url = "http://no-such-host.invalid/", .proxy = "", .max_attempts = 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_PROVIDER_DOWN);
}

TEST_F(HttpRetryTest, AnAnswerThatBreaksOffIsAskedForAgain) {
  std::atomic<int> requests = 0;
  RawServer server([&](const std::string&) -> std::string {
    if (++requests == 1) return "!HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole";
  });
  HttpClient client(Options());
  const auto response = client.Send({.url = server.url("/")});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "whole");
  EXPECT_EQ(delays_.size(), 1u);
}

TEST_F(HttpRetryTest, AStreamThatHasBegunIsNotBegunAgain) {
  std::atomic<int> requests = 0;
  RawServer server([&](const std::string&) -> std::string {
    ++requests;
    return "!HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  });
  HttpClient client(Options());
  std::string received;
  HttpRequest request = {.url = server.url("/")};
  request.on_data = [&](absl::string_view piece) {
    received.append(piece.data(), piece.size());
    return absl::OkStatus();
  };
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(received, "half");
  EXPECT_EQ(requests, 1);
}

TEST_F(HttpRetryTest, ABodyFileIsSentWholeEachTime) {
  std::vector<std::string> bodies;
  TestServer server([&](httplib::Server& s) {
    s.Put("/", [&](const httplib::Request& request, httplib::Response& response) {
      bodies.push_back(request.body);
      response.status = bodies.size() == 1 ? 503 : 200;
    });
  });
  HttpClient client(Options());
  const auto response =
      client.Send({.method = "PUT", .url = server.url("/"), .body_file = "/etc/hostname"});
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(bodies.size(), 2u);
  EXPECT_FALSE(bodies[0].empty());
  EXPECT_EQ(bodies[0], bodies[1]);
}

TEST_F(HttpRetryTest, AttemptsTakeTurnsUnderTheAccountsLimit) {
  FlakyServer server(0);
  HttpClient client(Options());
  const auto limit = std::make_shared<TokenBucket>(/*per_second=*/0.5, /*burst=*/1, clock_);
  EXPECT_TRUE(client.Send({.url = server.url(), .rate_limit = limit}).ok());
  EXPECT_THAT(Delays(), IsEmpty());
  EXPECT_TRUE(client.Send({.url = server.url(), .rate_limit = limit}).ok());
  EXPECT_THAT(Delays(), ElementsAre(absl::Seconds(2)));
  EXPECT_EQ(delays_[0].attempt, 1);
  EXPECT_TRUE(delays_[0].cause.ok());
  EXPECT_EQ(client
                .Send({.url = server.url(),
                       .deadline = clock_.Now() + absl::Seconds(1),
                       .rate_limit = limit})
                .status()
                .code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.requests(), 2);
}

TEST_F(HttpRetryTest, ARateLimitedAnswerHoldsUpTheWholeAccount) {
  FlakyServer server(1, 429, "30");
  HttpClient client(Options());
  const auto limit = std::make_shared<TokenBucket>(100, 100, clock_);
  EXPECT_EQ(client.Send({.method = "POST", .url = server.url(), .rate_limit = limit})->status, 429);
  EXPECT_THAT(Delays(), IsEmpty());
  EXPECT_EQ(client.Send({.url = server.url(), .rate_limit = limit})->status, 200);
  EXPECT_THAT(Delays(), ElementsAre(absl::Seconds(30)));
}

TEST_F(HttpRetryTest, AWaitBetweenAttemptsIsCancelled) {
  FlakyServer server(100);
  HttpClient::Options options = Options();
  std::atomic<bool> waiting = false;
  // The clock stands still: without the cancellation the wait would never end.
  options.on_delay = [&](const HttpDelay&) { waiting = true; };
  HttpClient client(options);
  HttpRequest request = {.url = server.url()};
  request.cancelled = [&] { return waiting.load(); };
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(server.requests(), 1);
}

}  // namespace
}  // namespace machine::common
