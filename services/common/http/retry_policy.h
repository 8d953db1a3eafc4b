// When a failed attempt is repeated, and after how long. For this folder only.
#ifndef SERVICES_COMMON_HTTP_RETRY_POLICY_H_
#define SERVICES_COMMON_HTTP_RETRY_POLICY_H_

#include <functional>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace machine::common {

/// Whether a repeated request of this method does no more than one (RFC 9110, section 9.2.2).
bool IsIdempotentMethod(absl::string_view method);

/// Whether a later attempt may get another status than this one.
bool IsTransientStatus(int status);

/// Jittered exponential delays. Uses `random` without a lock.
class RetryPolicy {
 public:
  RetryPolicy(absl::Duration min_backoff, absl::Duration max_backoff,
              std::function<double()> random);

  /// How long to wait after attempt number `attempt` (from 1): between half and the whole of
  /// min_backoff * 2^(attempt-1), at most max_backoff; not less than `retry_after`.
  absl::Duration Delay(int attempt, std::optional<absl::Duration> retry_after);

 private:
  const absl::Duration min_backoff_;
  const absl::Duration max_backoff_;
  const std::function<double()> random_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_RETRY_POLICY_H_
