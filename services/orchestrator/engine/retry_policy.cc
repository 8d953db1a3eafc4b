#include "services/orchestrator/engine/retry_policy.h"

#include <algorithm>
#include <limits>

#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kFirstDelay = absl::Milliseconds(200);
constexpr absl::Duration kMaxDelay = absl::Seconds(10);
constexpr int kMaxAttempts = 10;
// A host that was reached before and is gone again is waited for only shortly: the step that waits
// for ssh has had its time already.
constexpr int kMaxSshAttempts = 3;

int MaxAttempts(const absl::Status& status) {
  switch (common::ReasonOf(status)) {
    case machine::v1::ERROR_REASON_DRIVER_STARTING:
    case machine::v1::ERROR_REASON_DRIVER_CRASHED:
    case machine::v1::ERROR_REASON_PROVIDER_DOWN:
    case machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT:
      return kMaxAttempts;
    case machine::v1::ERROR_REASON_STORE_UNAVAILABLE:
      // Without the store it could not even fail.
      return std::numeric_limits<int>::max();
    case machine::v1::ERROR_REASON_SSH_UNREACHABLE:
      return kMaxSshAttempts;
    default:
      return 1;
  }
}

}  // namespace

std::optional<absl::Duration> RetryDelay(const absl::Status& status, int attempt) {
  if (attempt >= MaxAttempts(status)) return std::nullopt;
  if (const auto told = common::RetryDelayOf(status)) return *told;
  return std::min(kFirstDelay * (1 << std::min(attempt - 1, 10)), kMaxDelay);
}

}  // namespace machine::orchestrator
