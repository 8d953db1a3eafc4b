#include "services/common/http/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "services/common/file/file.h"
#include "services/common/http/test_server.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::string_view kEndlessBody = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome";

/// Answers with what it was asked.
void Echo(httplib::Server& server) {
  const auto echo = [](const httplib::Request& request, httplib::Response& response) {
    response.set_header("X-Method", request.method);
    response.set_header("X-Content-Type", request.get_header_value("Content-Type"));
    response.set_header("X-User-Agent", request.get_header_value("User-Agent"));
    response.set_header("X-Token", request.get_header_value("X-Token"));
    response.set_header("X-Client-Port", std::to_string(request.remote_port));
    response.set_header("X-Chunked", request.get_header_value("Transfer-Encoding"));
    response.set_content(request.body, "application/octet-stream");
  };
  server.Get("/echo", echo);
  server.Post("/echo", echo);
  server.Put("/echo", echo);
  server.Patch("/echo", echo);
  server.Delete("/echo", echo);
  server.Options("/echo", echo);
}

TEST(HttpClientTest, AnAnswersStatusHeadersAndBodyArrive) {
  TestServer server([](httplib::Server& s) {
    s.Get("/thing", [](const httplib::Request&, httplib::Response& response) {
      response.status = 404;
      response.set_header("X-Thing", "yes");
      response.set_content("no such thing", "text/plain");
    });
  });
  HttpClient client;
  const auto response = client.Send({.url = server.url("/thing")});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->headers.Get("x-THING"), "yes");
  EXPECT_EQ(response->body, "no such thing");
}

struct MethodCase {
  std::string method, body;
};
class MethodTest : public testing::TestWithParam<MethodCase> {};
TEST_P(MethodTest, ArrivesWithItsBody) {
  TestServer server(Echo);
  HttpClient client;
  const auto response = client.Send({.method = GetParam().method,
                                     .url = server.url("/echo"),
                                     .headers = {{"X-Token", "t"}},
                                     .body = GetParam().body});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->headers.Get("X-Token"), "t");
  EXPECT_EQ(response->headers.Get("X-Content-Type"), "") << "nothing is invented";
  EXPECT_EQ(response->headers.Get("X-User-Agent"), "docker-machine");
  if (GetParam().method == "HEAD") {
    EXPECT_EQ(response->body, "");
  } else {
    EXPECT_EQ(response->headers.Get("X-Method"), GetParam().method);
    EXPECT_TRUE(response->body == GetParam().body);
  }
}
INSTANTIATE_TEST_SUITE_P(Methods, MethodTest,
                         testing::ValuesIn<MethodCase>({{"GET", ""},
                                                        {"HEAD", ""},
                                                        {"OPTIONS", ""},
                                                        {"DELETE", ""},
                                                        {"POST", ""},
                                                        {"POST", "text"},
                                                        {"POST", std::string("a\0b", 3)},
                                                        {"PUT", std::string(3 << 20, 'x')},
                                                        {"PATCH", "patch"}}));

TEST(HttpClientTest, TwoRequestsShareAConnection) {
  TestServer server(Echo);
  HttpClient client;
  const auto first = client.Send({.url = server.url("/echo")});
  const auto second = client.Send({.method = "POST", .url = server.url("/echo"), .body = "x"});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first->headers.Get("X-Client-Port"), "");
  EXPECT_EQ(first->headers.Get("X-Client-Port"), second->headers.Get("X-Client-Port"));
}

TEST(HttpClientTest, ManyThreadsSendAtOnceOverFewConnections) {
  TestServer server(Echo);
  HttpClient::Options options;
  options.max_host_connections = 4;
  HttpClient client(options);
  std::vector<std::thread> threads;
  std::vector<std::string> bodies(32);
  for (size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto response =
          client.Send({.method = "POST", .url = server.url("/echo"), .body = std::to_string(i)});
      bodies[i] = response.ok() ? response->body : response.status().ToString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < bodies.size(); ++i) EXPECT_EQ(bodies[i], std::to_string(i));
}

TEST(HttpClientTest, ABodyLongerThanAllowedIsAnError) {
  TestServer server(Echo);
  HttpClient client;
  HttpRequest request = {.method = "POST", .url = server.url("/echo"), .body = "12345"};
  request.max_response_bytes = 5;
  EXPECT_EQ(client.Send(request)->body, "12345");
  request.max_response_bytes = 4;
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(HttpClientTest, TheLimitCountsWhatACompressedBodyUnpacksTo) {
  TestServer server([](httplib::Server& s) {
    s.Get("/bomb", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(1 << 20, 'a'), "text/plain");
    });
  });
  HttpClient client;
  const auto whole = client.Send({.url = server.url("/bomb")});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->body.size(), 1u << 20);
  EXPECT_TRUE(whole->headers.Has("Content-Encoding")) << "the server did compress";
  EXPECT_EQ(
      client.Send({.url = server.url("/bomb"), .max_response_bytes = 1 << 19}).status().code(),
      absl::StatusCode::kOutOfRange);
}

TEST(HttpClientTest, AHeaderWithoutEndIsAnError) {
  RawServer server([](const std::string&) {
    std::string answer = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 10'000; ++i)
      absl::StrAppend(&answer, "X-", i, ": ", std::string(50, 'a'), "\r\n");
    return answer;
  });
  HttpClient client;
  const absl::Status status = client.Send({.url = server.url("/")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange) << status;
}

TEST(HttpClientTest, AnAnswerIsStreamedPieceByPiece) {
  TestServer server([](httplib::Server& s) {
    s.Get("/stream", [](const httplib::Request&, httplib::Response& response) {
      response.set_chunked_content_provider("text/plain", [](size_t, httplib::DataSink& sink) {
        for (int i = 0; i < 100; ++i) {
          const std::string line = absl::StrCat("line ", i, "\n");
          sink.write(line.data(), line.size());
        }
        sink.done();
        return true;
      });
    });
    s.Get("/error", [](const httplib::Request&, httplib::Response& response) {
      response.status = 500;
      response.set_content("broken", "text/plain");
    });
  });
  HttpClient client;
  std::string received;
  HttpRequest request = {.url = server.url("/stream")};
  request.on_data = [&](absl::string_view piece) {
    received.append(piece.data(), piece.size());
    return absl::OkStatus();
  };
  request.max_response_bytes = 10;
  const auto response = client.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(std::count(received.begin(), received.end(), '\n'), 100);
  EXPECT_THAT(received, StartsWith("line 0\nline 1\n"));

  request.url = server.url("/error");
  received.clear();
  EXPECT_EQ(client.Send(request)->body, "broken") << "an error's text is not part of the stream";
  EXPECT_EQ(received, "");

  request.url = server.url("/stream");
  request.on_data = [](absl::string_view) { return absl::ResourceExhaustedError("disk full"); };
  EXPECT_EQ(client.Send(request).status(), absl::ResourceExhaustedError("disk full"));
}

TEST(HttpClientTest, ABodyIsStreamedFromASource) {
  TestServer server(Echo);
  HttpClient client;
  const auto source = [](int pieces) -> HttpBodySource {
    return [left = pieces](absl::Span<char> into) mutable -> absl::StatusOr<size_t> {
      if (left-- == 0) return 0;
      std::fill_n(into.begin(), 1000, 'p');
      return 1000;
    };
  };
  HttpRequest request = {.method = "POST", .url = server.url("/echo"), .body_source = source(50)};
  auto response = client.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, std::string(50'000, 'p'));
  EXPECT_EQ(response->headers.Get("X-Chunked"), "chunked");

  request.body_source = source(3);
  request.body_source_bytes = 3000;
  response = client.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body.size(), 3000u);
  EXPECT_EQ(response->headers.Get("X-Chunked"), "");

  request.body_source = [](absl::Span<char>) { return absl::DataLossError("torn"); };
  EXPECT_EQ(client.Send(request).status(), absl::DataLossError("torn"));
}

TEST(HttpClientTest, ABodyIsStreamedFromAFile) {
  std::string path = absl::StrCat(testing::TempDir(), "/body.XXXXXX");
  UniqueFd(mkstemp(path.data()));
  const std::string contents(500'000, 'f');
  ASSERT_TRUE(WriteFileAtomically(path, contents, 0600).ok());
  TestServer server(Echo);
  HttpClient client;
  HttpRequest request = {.method = "PUT", .url = server.url("/echo"), .body_file = path};
  const auto response = client.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->body == contents);
  request.body_file = path + ".none";
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kNotFound);
}

TEST(HttpClientTest, ASlowBodyEndsAtTheDeadline) {
  RawServer server([](const std::string&) { return std::string(kEndlessBody); });
  HttpClient client;
  const absl::Status status =
      client.Send({.url = server.url("/"), .deadline = absl::Now() + absl::Milliseconds(200)})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
}

TEST(HttpClientTest, ADeadlineThatHasPassedIsSeenBeforeAnythingIsSent) {
  RawServer server([](const std::string&) { return std::string(kEndlessBody); });
  HttpClient client;
  EXPECT_EQ(client.Send({.url = server.url("/"), .deadline = absl::Now()}).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClientTest, AWaitingCallIsCancelled) {
  std::atomic<bool> asked = false;
  RawServer server([&](const std::string&) {
    asked = true;
    return std::string(kEndlessBody);
  });
  HttpClient client;
  HttpRequest request = {.url = server.url("/")};
  request.cancelled = [&] { return asked.load(); };
  EXPECT_EQ(client.Send(request).status().code(), absl::StatusCode::kCancelled);
}

TEST(HttpClientTest, AnAsynchronousCallIsCancelledByItsHandle) {
  absl::Notification asked;
  RawServer server([&](const std::string&) {
    asked.Notify();
    return std::string(kEndlessBody);
  });
  HttpClient client;
  absl::Notification done;
  absl::Status status;
  const HttpCall call = client.SendAsync({.url = server.url("/")}, [&](auto outcome) {
    status = outcome.status();
    done.Notify();
  });
  asked.WaitForNotification();
  call.Cancel();
  done.WaitForNotification();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  call.Cancel();
}

TEST(HttpClientTest, AnAsynchronousCallMayStartTheNext) {
  TestServer server(Echo);
  HttpClient client;
  absl::Notification done;
  std::string body;
  client.SendAsync({.method = "POST", .url = server.url("/echo"), .body = "1"}, [&](auto first) {
    client.SendAsync({.method = "POST", .url = server.url("/echo"), .body = first->body + "2"},
                     [&](auto second) {
                       body = second->body;
                       done.Notify();
                     });
  });
  done.WaitForNotification();
  EXPECT_EQ(body, "12");
}

TEST(HttpClientTest, AClientThatGoesEndsWhatIsUnderWay) {
  absl::Notification asked;
  RawServer server([&](const std::string&) {
    asked.Notify();
    return std::string(kEndlessBody);
  });
  absl::Status status;
  {
    HttpClient client;
    client.SendAsync({.url = server.url("/")}, [&](auto outcome) { status = outcome.status(); });
    asked.WaitForNotification();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
}

TEST(HttpClientTest, RedirectsAreFollowedOnlyWhenAskedForAndOnlyOverHttp) {
  TestServer server([](httplib::Server& s) {
    Echo(s);
    s.Get("/moved", [](const httplib::Request&, httplib::Response& response) {
      response.set_redirect("/echo");
    });
    s.Get("/file", [](const httplib::Request&, httplib::Response& response) {
      response.set_redirect("file:///etc/passwd");
    });
    s.Get("/loop", [](const httplib::Request&, httplib::Response& response) {
      response.set_redirect("/loop");
    });
  });
  HttpClient client;
  EXPECT_EQ(client.Send({.url = server.url("/moved")})->status, 302);
  const auto followed = client.Send({.url = server.url("/moved"), .max_redirects = 1});
  ASSERT_TRUE(followed.ok()) << followed.status();
  EXPECT_EQ(followed->status, 200);
  EXPECT_EQ(followed->headers.Get("X-Method"), "GET");
  EXPECT_EQ(followed->headers.Get("Location"), std::nullopt) << "that was of the first answer";
  for (const char* path : {"/file", "/loop"}) {
    const absl::Status status = client.Send({.url = server.url(path), .max_redirects = 3}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << path << ": " << status;
  }
}

TEST(HttpClientTest, AProxyIsAskedForTheWholeUrl) {
  std::string head;
  RawServer proxy([&](const std::string& request) {
    head = request;
    return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  });
  HttpClient client;
  const auto response =
      client.Send({.url = "http://provider.invalid/v1/thing?q=1", .proxy = proxy.url("")});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "hi");
  EXPECT_THAT(head, StartsWith("GET http://provider.invalid/v1/thing?q=1 HTTP/1.1\r\n"));
}

struct BadRequestCase {
  absl::string_view label;
  HttpRequest request;
};
class BadRequestTest : public testing::TestWithParam<BadRequestCase> {};
TEST_P(BadRequestTest, IsRefused) {
  HttpClient client;
  const absl::Status status = client.Send(GetParam().request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}
INSTANTIATE_TEST_SUITE_P(
    Requests, BadRequestTest,
    testing::ValuesIn<BadRequestCase>({
        {"NoUrl", {}},
        {"NotAUrl", {.url = "http://"}},
        {"OtherScheme", {.url = "ftp://127.0.0.1/"}},
        {"FileScheme", {.url = "file:///etc/passwd"}},
        {"CredentialsInUrl", {.url = "http://user:secret@127.0.0.1/"}},
        {"MethodWithBlank", {.method = "GET /", .url = "http://127.0.0.1/"}},
        {"HeaderWithLineEnd",
         {.url = "http://127.0.0.1/", .headers = {{"X", "a\r\nAuthorization: secret"}}}},
        {"HeaderNameWithColon", {.url = "http://127.0.0.1/", .headers = {{"X:", "a"}}}},
        {"TwoBodies",
         {.method = "PUT", .url = "http://127.0.0.1/", .body = "a", .body_file = "/etc/passwd"}},
        {"CertWithoutKey",
         {.url = "https://127.0.0.1/", .tls = {.client_cert_pem = "a certificate"}}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::common
