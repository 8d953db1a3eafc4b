#include "drivers/sdk/cloud/await.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver {

absl::Duration PauseAfter(const Backoff& backoff, int look) {
  absl::Duration pause = backoff.first;
  for (int i = 1; i < look && pause < backoff.slowest; ++i) pause *= 1.5;
  thread_local absl::BitGen generator;
  return std::min(pause, backoff.slowest) * absl::Uniform<double>(generator, 0.5, 1.0);
}

bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) ||
         common::ReasonOf(status) == machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT;
}

bool MayHaveHappened(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status);
}

absl::Status PauseBetweenLooks(const common::CallScope& call, const Backoff& backoff, int look,
                               const absl::Status& failure) {
  const absl::Duration asked = common::RetryDelayOf(failure).value_or(absl::ZeroDuration());
  absl::Status status = call.Sleep(std::max(PauseAfter(backoff, look), asked));
  if (status.ok() || failure.ok() || !absl::IsDeadlineExceeded(status)) return status;
  return common::Annotate(status, failure.message());
}

}  // namespace machine::driver
