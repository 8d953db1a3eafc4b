#include "drivers/docker/http_engine_transport.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/http/http_client.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

// A list of ten thousand containers is about 20 MB.
constexpr int64_t kMaxAnswerBytes = 128 << 20;

class HttpEngineTransport final : public EngineTransport {
 public:
  HttpEngineTransport(std::shared_ptr<common::HttpClient> client, const Endpoint& endpoint)
      : client_(std::move(client)), endpoint_(endpoint) {}

  absl::StatusOr<EngineResponse> Send(const common::CallScope& call,
                                      const EngineRequest& request) override {
    DM_RETURN_IF_ERROR(call.Check());
    common::HttpRequest http;
    http.method = request.method;
    http.url = absl::StrCat(endpoint_.BaseUrl(), request.target);
    if (!request.body.empty()) http.headers.Set("Content-Type", request.content_type);
    http.body = request.body;
    http.deadline = std::min(call.deadline(), absl::Now() + request.timeout);
    http.max_response_bytes = kMaxAnswerBytes;
    http.unix_socket_path = endpoint_.socket_path;
    http.tls.ca_pem = endpoint_.ca_pem;
    http.tls.client_cert_pem = endpoint_.cert_pem;
    http.tls.client_key_pem = common::SecretString(absl::string_view(endpoint_.key_pem));
    if (endpoint_.local() || IsLoopback(endpoint_.host)) http.proxy = "";
    // Once: what to do about an answer that got lost is the caller's to know.
    http.max_attempts = 1;
    http.cancelled = [&call] { return call.cancelled(); };
    DM_ASSIGN_OR_RETURN(common::HttpResponse response, client_->Send(std::move(http)));
    return EngineResponse{response.status, std::move(response.body)};
  }

 private:
  const std::shared_ptr<common::HttpClient> client_;
  const Endpoint endpoint_;
};

}  // namespace

EngineTransportFactory HttpEngineTransports() {
  return [client = std::shared_ptr<common::HttpClient>()](
             const Endpoint& endpoint) mutable -> absl::StatusOr<std::unique_ptr<EngineTransport>> {
    if (client == nullptr) client = std::make_shared<common::HttpClient>();
    return std::make_unique<HttpEngineTransport>(client, endpoint);
  };
}

}  // namespace machine::driver::docker
