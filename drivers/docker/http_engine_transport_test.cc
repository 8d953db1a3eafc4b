#include "drivers/docker/http_engine_transport.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"

namespace machine::driver::docker {
namespace {

class HttpEngineTransportTest : public testing::Test {
 protected:
  HttpEngineTransportTest() {
    server_.Put("/v1.41/containers/a/archive",
                [](const httplib::Request& request, httplib::Response& response) {
                  response.status = 418;
                  response.set_content(
                      absl::StrCat(request.get_param_value("path"), " ",
                                   request.get_header_value("Content-Type"), " ", request.body),
                      "text/plain");
                });
    server_.Post("/empty", [](const httplib::Request& request, httplib::Response& response) {
      response.set_content(request.has_header("Content-Type") ? "typed" : "bare", "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    server_.set_keep_alive_timeout(1);
    while (!server_.is_running()) std::this_thread::yield();  // stop() does nothing before.
  }
  ~HttpEngineTransportTest() override {
    server_.stop();
    thread_.join();
  }

  absl::StatusOr<EngineResponse> Send(const std::string& endpoint, const EngineRequest& request) {
    EngineTransportFactory transports = HttpEngineTransports();
    return transports(ParseEndpoint(endpoint).value()).value()->Send(*call_, request);
  }

  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  CallRecord record_;
  std::unique_ptr<DriverCall> call_ = MakeCall("uid-1", record_);
};

TEST_F(HttpEngineTransportTest, SendsTheRequestAndTakesAnyStatusForAnAnswer) {
  const absl::StatusOr<EngineResponse> response = Send(
      absl::StrCat("tcp://127.0.0.1:", port_), {.method = "PUT",
                                                .target = "/v1.41/containers/a/archive?path=%2F",
                                                .content_type = "application/x-tar",
                                                .body = "bytes"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 418);
  EXPECT_EQ(response->body, "/ application/x-tar bytes");
}

TEST_F(HttpEngineTransportTest, ABodilessPostHasNoType) {
  const absl::StatusOr<EngineResponse> response =
      Send(absl::StrCat("tcp://127.0.0.1:", port_), {.method = "POST", .target = "/empty"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "bare");
}

TEST_F(HttpEngineTransportTest, ASocketThatIsNotThereIsUnavailable) {
  const std::string path = absl::StrCat("unix://", testing::TempDir(), "/none.sock");
  EXPECT_EQ(Send(path, {.method = "GET", .target = "/version"}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(HttpEngineTransportTest, ACancelledCallSendsNothing) {
  call_->cancellation()->Cancel();
  EXPECT_EQ(Send(absl::StrCat("tcp://127.0.0.1:", port_), {.method = "POST", .target = "/empty"})
                .status()
                .code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace machine::driver::docker
