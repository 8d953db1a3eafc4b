#include "services/common/ssh/call_limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kCancelPoll = absl::Milliseconds(50);

}  // namespace

absl::Status CheckLimits(const CallLimits& limits, absl::string_view what) {
  if (limits.cancelled && limits.cancelled()) {
    return Error(absl::StatusCode::kCancelled, machine::v1::ERROR_REASON_BY_USER,
                 absl::StrCat(what, " was cancelled"));
  }
  if (absl::Now() >= limits.deadline) {
    return Error(absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
                 absl::StrCat(what, " did not end in time"));
  }
  return absl::OkStatus();
}

absl::Duration WaitSlice(const CallLimits& limits) {
  const absl::Duration left = std::max(absl::ZeroDuration(), limits.deadline - absl::Now());
  return limits.cancelled ? std::min(left, kCancelPoll) : left;
}

std::string SecondsText(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  return seconds < 10 ? absl::StrFormat("%.1f s", seconds) : absl::StrFormat("%.0f s", seconds);
}

absl::Status Unreachable(absl::string_view message) {
  return Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_SSH_UNREACHABLE, message);
}

}  // namespace machine::common
