#include "services/common/http/token_bucket.h"

#include <algorithm>

namespace machine::common {

TokenBucket::TokenBucket(double per_second, double burst, const Clock& clock)
    : per_second_(per_second),
      burst_(burst),
      clock_(clock),
      tokens_(burst),
      filled_until_(clock.Steady()) {}

std::optional<absl::Duration> TokenBucket::Reserve(absl::Duration max_wait) {
  absl::MutexLock lock(&mu_);
  const absl::Duration now = clock_.Steady();
  if (now > filled_until_) {
    tokens_ = std::min(burst_, tokens_ + absl::ToDoubleSeconds(now - filled_until_) * per_second_);
    filled_until_ = now;
  }
  const double missing = std::max(0.0, 1 - tokens_);
  const absl::Duration wait = filled_until_ - now + absl::Seconds(missing / per_second_);
  if (wait > max_wait) return std::nullopt;
  tokens_ -= 1;
  return wait;
}

void TokenBucket::PauseFor(absl::Duration duration) {
  absl::MutexLock lock(&mu_);
  const absl::Duration end = clock_.Steady() + duration;
  if (end <= filled_until_) return;
  filled_until_ = end;
  // No burst after the pause: the provider has just said that we are too fast.
  tokens_ = std::min(tokens_, 1.0);
}

}  // namespace machine::common
