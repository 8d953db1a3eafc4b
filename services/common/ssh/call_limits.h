// What blocking calls do with their CallLimits.
#ifndef SERVICES_COMMON_SSH_CALL_LIMITS_H_
#define SERVICES_COMMON_SSH_CALL_LIMITS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

/// OK while the call may go on; CANCELLED or DEADLINE_EXCEEDED naming `what` after.
absl::Status CheckLimits(const CallLimits& limits, absl::string_view what);

/// How long a thread may wait before it looks at `limits` again.
absl::Duration WaitSlice(const CallLimits& limits);

/// "0.2 s", "60 s".
std::string SecondsText(absl::Duration duration);

/// UNAVAILABLE SSH_UNREACHABLE.
absl::Status Unreachable(absl::string_view message);

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_CALL_LIMITS_H_
