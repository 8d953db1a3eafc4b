#include "services/common/http/retry_policy.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/random/random.h"

namespace machine::common {
namespace {

std::function<double()> SystemRandom() {
  return [generator = std::make_shared<absl::BitGen>()] {
    return absl::Uniform<double>(*generator, 0, 1);
  };
}

}  // namespace

bool IsIdempotentMethod(absl::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

bool IsTransientStatus(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

RetryPolicy::RetryPolicy(absl::Duration min_backoff, absl::Duration max_backoff,
                         std::function<double()> random)
    : min_backoff_(min_backoff),
      max_backoff_(max_backoff),
      random_(random ? std::move(random) : SystemRandom()) {}

absl::Duration RetryPolicy::Delay(int attempt, std::optional<absl::Duration> retry_after) {
  absl::Duration backoff = min_backoff_;
  for (int i = 1; i < attempt && backoff < max_backoff_; ++i) backoff *= 2;
  backoff = std::min(backoff, max_backoff_) * (0.5 + 0.5 * random_());
  return std::max(backoff, retry_after.value_or(absl::ZeroDuration()));
}

}  // namespace machine::common
