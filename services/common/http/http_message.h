// What is sent and received over HTTP.
#ifndef SERVICES_COMMON_HTTP_HTTP_MESSAGE_H_
#define SERVICES_COMMON_HTTP_HTTP_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/http/token_bucket.h"

namespace machine::common {

/// Header fields in their order. Names are compared without regard to case.
class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;

  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<Field> fields) : fields_(fields) {}

  /// Adds a field, also when there is one of that name.
  void Add(absl::string_view name, absl::string_view value);
  /// Puts one field in the place of all of that name.
  void Set(absl::string_view name, absl::string_view value);

  /// The value of the first field of that name.
  std::optional<absl::string_view> Get(absl::string_view name) const;
  std::vector<absl::string_view> GetAll(absl::string_view name) const;
  bool Has(absl::string_view name) const { return Get(name).has_value(); }

  std::vector<Field>::const_iterator begin() const { return fields_.begin(); }
  std::vector<Field>::const_iterator end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

/// Whom to trust and who to be. The server's certificate and name are verified.
struct HttpTls {
  /// False only where a user has asked for it in so many words: anybody on the way may then read
  /// and change what is sent.
  bool verify = true;
  /// The only authorities to trust; empty for those of the system.
  std::string ca_pem;
  /// The client's certificate and private key; both or none.
  std::string client_cert_pem;
  SecretString client_key_pem;
};

/// Fills the span from its beginning and returns how many bytes it put there; 0 ends the body.
using HttpBodySource = std::function<absl::StatusOr<size_t>(absl::Span<char>)>;

/// A request. The callbacks `body_source` and `on_data` run on the client's only thread: they must
/// not block, or every other transfer waits, and must not call Send.
struct HttpRequest {
  std::string method = "GET";
  /// http or https, without credentials in it.
  std::string url;
  HttpHeaders headers;

  /// The body: at most one of these three.
  std::string body;
  /// A regular file that is read while it is sent.
  std::string body_file;
  HttpBodySource body_source;
  /// Its length, where known; otherwise it is sent in chunks.
  std::optional<int64_t> body_source_bytes;

  /// Gets the body of a successful (2xx) answer as it comes; HttpResponse::body is then empty. An
  /// error ends the transfer with that error.
  std::function<absl::Status(absl::string_view)> on_data;

  /// By the wall clock. Default: HttpClient::Options::default_timeout from now;
  /// absl::InfiniteFuture() for none.
  std::optional<absl::Time> deadline;
  /// The most of a body that is kept in memory, after decompression.
  int64_t max_response_bytes = 16 << 20;
  /// Connect to this socket instead of the URL's host, as for a local Docker Engine.
  std::string unix_socket_path;
  HttpTls tls;
  /// URL of a proxy, or empty for none. Default: what the environment says (https_proxy, no_proxy
  /// …).
  std::optional<std::string> proxy;
  /// How many redirects of GET and HEAD to follow, never from https to http. Only for requests
  /// without credentials of their own: of the headers, only Authorization and Cookie are kept from
  /// the other host.
  int max_redirects = 0;

  /// May be repeated although its method alone does not say so, for example a POST with a client
  /// token. GET, HEAD, OPTIONS, PUT and DELETE always may.
  bool retry_safe = false;
  /// Default: HttpClient::Options::max_attempts.
  std::optional<int> max_attempts;
  /// The account's limit; each attempt takes a turn.
  std::shared_ptr<TokenBucket> rate_limit;
  /// Asked about every 20 ms while Send waits, in Send's thread.
  std::function<bool()> cancelled;
};

struct HttpResponse {
  /// For example 200. An answer with an error status is a response, not an error: see ErrorOf().
  int status = 0;
  HttpHeaders headers;
  std::string body;
};

/// OK for a status below 400, else the canonical code that an API client should answer with, with
/// `message`, the provider's own words:
/// 400, 422 INVALID_ARGUMENT; 401 UNAUTHENTICATED; 403 PERMISSION_DENIED; 404, 410 NOT_FOUND;
/// 409, 412 ABORTED; 429 RESOURCE_EXHAUSTED PROVIDER_RATE_LIMIT with RetryInfo; 501 UNIMPLEMENTED;
/// other 5xx UNAVAILABLE PROVIDER_DOWN; others FAILED_PRECONDITION. `now` is for a Retry-After that
/// names a date.
absl::Status ErrorOf(const HttpResponse& response, absl::string_view message, absl::Time now);

/// How long the answer's Retry-After (RFC 9110, section 10.2.3; seconds or a date) asks to wait.
std::optional<absl::Duration> RetryAfterOf(const HttpHeaders& headers, absl::Time now);

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_HTTP_MESSAGE_H_
