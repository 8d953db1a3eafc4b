// A limit on how often something is done, shared by all who do it.
#ifndef SERVICES_COMMON_HTTP_TOKEN_BUCKET_H_
#define SERVICES_COMMON_HTTP_TOKEN_BUCKET_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"

namespace machine::common {

/// One for each account at a provider, whose limits are per account. Thread-safe.
class TokenBucket {
 public:
  /// `per_second` > 0 on average, and up to `burst` >= 1 at once. `clock` outlives it.
  TokenBucket(double per_second, double burst, const Clock& clock = Clock::Real());

  TokenBucket(const TokenBucket&) = delete;
  TokenBucket& operator=(const TokenBucket&) = delete;

  /// Takes the next free turn and says how long to wait for it; waiting is up to the caller. Takes
  /// none and returns nullopt when it would be longer than `max_wait`.
  std::optional<absl::Duration> Reserve(absl::Duration max_wait = absl::InfiniteDuration());

  /// No turn begins within `duration` from now: the provider asked for a rest.
  void PauseFor(absl::Duration duration);

 private:
  const double per_second_;
  const double burst_;
  const Clock& clock_;
  absl::Mutex mu_;
  // Below zero: turns that are promised and still to come.
  double tokens_ ABSL_GUARDED_BY(mu_);
  // Up to when tokens_ has been filled; in the future during a pause.
  absl::Duration filled_until_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_HTTP_TOKEN_BUCKET_H_
