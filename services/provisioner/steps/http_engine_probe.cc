#include "services/provisioner/steps/http_engine_probe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/http/http_message.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::machine::common::Error;

// A packet filter that drops everything is told from a slow engine by this.
constexpr absl::Duration kOneTry = absl::Seconds(10);

absl::Status Unreachable(absl::StatusCode code, absl::string_view docker_url,
                         absl::string_view cause) {
  return Error(code, machine::v1::ERROR_REASON_ENGINE_UNREACHABLE,
               absl::StrCat("the engine at ", docker_url, " does not answer: ", cause),
               {{"docker_url", std::string(docker_url)}});
}

absl::Status ExplainFailure(const absl::Status& status, absl::string_view docker_url) {
  if (common::ReasonOf(status) == machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) {
    return Error(status.code(), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED,
                 absl::StrCat("the certificate of the engine at ", docker_url, " is not trusted (",
                              common::ErrorMetadataOf(status, "cause"),
                              "): docker-machine regenerate-certs gives the machine a new one"),
                 {{"docker_url", std::string(docker_url)}});
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return Unreachable(
          absl::StatusCode::kUnavailable, docker_url,
          absl::StrCat(status.message(),
                       "; if the engine is up, a firewall or the provider's security "
                       "rules may block the port"));
    case absl::StatusCode::kCancelled:
      return status;
    default:
      return Unreachable(absl::StatusCode::kFailedPrecondition, docker_url, status.message());
  }
}

absl::StatusOr<common::HttpRequest> NewRequest(common::CallScope& call,
                                               absl::string_view docker_url,
                                               const std::optional<EngineTls>& tls,
                                               absl::string_view method, absl::string_view path) {
  absl::string_view address = docker_url;
  if (!absl::ConsumePrefix(&address, "tcp://") || address.empty() ||
      absl::StrContains(address, '/')) {
    return common::InvalidField("docker_url", "the URL of an engine is tcp://HOST:PORT");
  }
  common::HttpRequest request;
  request.method = std::string(method);
  request.url = absl::StrCat(tls.has_value() ? "https://" : "http://", address, path);
  if (tls.has_value()) {
    request.tls.ca_pem = tls->ca_pem;
    request.tls.client_cert_pem = tls->client_cert_pem;
    request.tls.client_key_pem = common::SecretString(tls->client_key_pem);
  }
  request.max_attempts = 1;
  request.max_response_bytes = 4 << 20;
  // A machine is spoken to directly, as by ssh.
  request.proxy = "";
  request.cancelled = [&call] { return call.cancelled(); };
  return request;
}

}  // namespace

absl::StatusOr<EngineVersion> HttpEngineProbe::Ask(common::CallScope& call,
                                                   absl::string_view docker_url,
                                                   const std::optional<EngineTls>& tls) const {
  // Without a version in the path every engine answers, with the versions that it speaks.
  DM_ASSIGN_OR_RETURN(common::HttpRequest request,
                      NewRequest(call, docker_url, tls, "GET", "/version"));
  request.deadline = std::min(call.deadline(), absl::Now() + kOneTry);
  const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
  if (!response.ok()) return ExplainFailure(response.status(), docker_url);
  if (response->status != 200) {
    return Unreachable(absl::StatusCode::kUnavailable, docker_url,
                       absl::StrCat("HTTP status ", response->status));
  }
  return common::Annotate(ReadVersionAnswer(response->body), docker_url);
}

absl::StatusOr<EngineAnswer> HttpEngineProbe::Send(common::CallScope& call,
                                                   absl::string_view docker_url,
                                                   const std::optional<EngineTls>& tls,
                                                   absl::string_view method, absl::string_view path,
                                                   const std::string& body) const {
  DM_ASSIGN_OR_RETURN(common::HttpRequest request, NewRequest(call, docker_url, tls, method, path));
  request.deadline = call.deadline();
  if (!body.empty()) {
    request.body = body;
    request.headers.Set("Content-Type", "application/json");
  }
  absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
  if (!response.ok()) return ExplainFailure(response.status(), docker_url);
  return EngineAnswer{response->status, std::move(response->body)};
}

}  // namespace machine::provisioner
