// JSON over HTTP, as nearly every provider speaks it: what typed API clients are built on.
#ifndef DRIVERS_SDK_CLOUD_JSON_API_H_
#define DRIVERS_SDK_CLOUD_JSON_API_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/json.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver {

/// One request to an API.
struct ApiRequest {
  std::string method = "GET";
  /// From "/", percent-encoded where needed; see PercentEncode().
  std::string path;
  /// Encoded on the way.
  std::vector<std::pair<std::string, std::string>> query;
  /// Null for no body.
  Json body = nullptr;
  /// Header fields beside those of the content and the credentials.
  common::HttpHeaders headers;
  /// May be sent twice although its method does not say so, because it carries a client token.
  bool retry_safe = false;
};

/// An answer that is no error.
struct ApiResponse {
  int status = 0;
  common::HttpHeaders headers;
  /// Null where the answer has no body.
  Json body;
};

/// What is particular to a provider.
struct ApiDialect {
  /// For messages: "DigitalOcean".
  std::string provider;
  /// Adds the credentials, or signs; the request is complete but for that. Called once a send, on
  /// its thread; may itself send. May be empty.
  std::function<absl::Status(const common::CallScope&, common::HttpRequest&)> authorize;
  /// The provider's own words in the body of an error; empty when it has none.
  std::function<std::string(const Json& body)> message_of;
  /// A better error than `error`, which ErrorOf() of services/common/http made. May be empty.
  std::function<absl::Status(const absl::Status& error, int http_status, const Json& body)> refine;
  /// Told of each answer, for rate limits in its header. May be empty.
  std::function<void(const common::HttpResponse&)> on_response;
  /// Pauses before a request is sent again.
  Backoff backoff = {absl::Milliseconds(300), absl::Seconds(10)};
};

/// An API at one endpoint with the credentials of one account. Thread-safe; blocks; ends with the
/// call's deadline and cancellation.
class JsonApi {
 public:
  /// `http` outlives it. `base_url` has no slash at its end.
  JsonApi(common::HttpClient& http, std::string base_url,
          std::shared_ptr<common::TokenBucket> rate_limit, ApiDialect dialect);

  /// Sends, and waits for an answer that is no error. A request that a rate limit refused is sent
  /// again after as long as the provider asks; one that failed with 5xx, or got an answer that is
  /// no JSON, only where that is safe; at most five times in all.
  ///
  /// @return the errors of HttpClient::Send() and of ErrorOf() with the provider's words;
  /// UNAVAILABLE
  ///   PROVIDER_DOWN also where the answer is no JSON: then, as after a lost answer, the request
  ///   may have been carried out (MayHaveHappened).
  absl::StatusOr<ApiResponse> Send(const common::CallScope& call, const ApiRequest& request) const;

  const std::string& base_url() const { return base_url_; }

 private:
  absl::StatusOr<ApiResponse> SendOnce(const common::CallScope& call,
                                       const ApiRequest& request) const;
  absl::StatusOr<ApiResponse> Read(const ApiRequest& request, common::HttpResponse response) const;

  common::HttpClient& http_;
  const std::string base_url_;
  const std::shared_ptr<common::TokenBucket> rate_limit_;
  const ApiDialect dialect_;
};

/// `text` for a path or a query: all but letters, digits and "-._~" as %XX (RFC 3986, 2.3).
std::string PercentEncode(absl::string_view text);

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_JSON_API_H_
