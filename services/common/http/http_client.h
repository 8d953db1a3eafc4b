// The only way to speak HTTP: one libcurl layer for clouds, registries and Docker Engines.
#ifndef SERVICES_COMMON_HTTP_HTTP_CLIENT_H_
#define SERVICES_COMMON_HTTP_HTTP_CLIENT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/http/http_message.h"

namespace machine::common {

class HttpEngine;
class HttpTransfer;

/// A wait before an attempt, for logs and metrics.
struct HttpDelay {
  /// Method, scheme, host and path; no query, which may hold secrets.
  std::string request;
  /// 1 before the first attempt, when it waits for its turn under the rate limit.
  int attempt = 1;
  absl::Duration delay;
  /// Why: OK for the rate limit.
  absl::Status cause;
};

/// A transfer under way. Thread-safe; may outlive the client.
class HttpCall {
 public:
  explicit HttpCall(std::weak_ptr<HttpEngine> engine, std::weak_ptr<HttpTransfer> transfer)
      : engine_(std::move(engine)), transfer_(std::move(transfer)) {}

  /// Ends the transfer with CANCELLED, unless it has ended.
  void Cancel() const;

 private:
  std::weak_ptr<HttpEngine> engine_;
  std::weak_ptr<HttpTransfer> transfer_;
};

/// Sends requests over connections that are kept and reused (HTTP/2 where the server offers it),
/// with TLS verified (HttpTls). Attempts that failed for want of a connection, or with status 429,
/// 502, 503 or 504, are repeated where that is safe, with jittered delays from 0.2 s to 10 s or as
/// Retry-After asks, as long as deadline and number of attempts allow. Never logs.
///
/// Thread-safe. All transfers run on one thread of its own.
class HttpClient {
 public:
  struct Options {
    std::string user_agent = "docker-machine";
    absl::Duration default_timeout = absl::Seconds(60);
    absl::Duration connect_timeout = absl::Seconds(10);
    int max_attempts = 5;
    absl::Duration min_backoff = absl::Milliseconds(200);
    absl::Duration max_backoff = absl::Seconds(10);
    /// Connections at once to one host; further requests queue.
    int max_host_connections = 32;
    /// Outlives the client. Time limits of a transfer under way run on the real clock.
    const Clock* clock = &Clock::Real();
    /// A number in [0, 1) for the jitter; default: a generator seeded by the system.
    std::function<double()> random;
    /// Told of each wait, on the client's thread. Must not block.
    std::function<void(const HttpDelay&)> on_delay;
  };

  /// Called once, on the client's thread. Must not block and must not call Send; may call
  /// SendAsync.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<HttpResponse>)>;

  HttpClient() : HttpClient(Options()) {}
  explicit HttpClient(Options options);
  /// Ends what is under way with CANCELLED. Not from a callback.
  ~HttpClient();

  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends and waits for the answer, whatever its status: see ErrorOf().
  ///
  /// @return UNAVAILABLE PROVIDER_DOWN (no connection, or it broke), DEADLINE_EXCEEDED, CANCELLED,
  ///   INVALID_ARGUMENT (URL, header, client certificate), OUT_OF_RANGE (body longer than allowed),
  ///   UNAUTHENTICATED SERVER_NOT_TRUSTED (its certificate; never repeated; the metadata has "host"
  ///   and "cause"), FAILED_PRECONDITION (too many redirects), PERMISSION_DENIED (a Unix socket
  ///   that this user may not open), or what a callback returned.
  absl::StatusOr<HttpResponse> Send(HttpRequest request);

  /// The same without waiting. `request.cancelled` is not asked: use HttpCall::Cancel.
  HttpCall SendAsync(HttpRequest request, Callback done);

 private:
  std::shared_ptr<HttpEngine> engine_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_HTTP_CLIENT_H_
