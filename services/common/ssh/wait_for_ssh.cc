#include "services/common/ssh/wait_for_ssh.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/ssh/tcp_dialer.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kFirstDelay = absl::Milliseconds(100);
constexpr absl::Duration kMaxDelay = absl::Seconds(1);
constexpr absl::Duration kMaxKeyRefusedGrace = absl::Seconds(10);

// Waits, unless the limits end it first; then why.
absl::Status Delay(absl::Duration delay, const CallLimits& limits) {
  const absl::Time until = absl::Now() + delay;
  while (absl::Now() < until) {
    DM_RETURN_IF_ERROR(CheckLimits(limits, "waiting for SSH"));
    absl::SleepFor(std::min(WaitSlice(limits), until - absl::Now()));
  }
  return CheckLimits(limits, "waiting for SSH");
}

}  // namespace

absl::StatusOr<std::shared_ptr<SshConnection>> WaitForSsh(SshLoop& loop, const SshTarget& target,
                                                          const WaitForSshOptions& options) {
  const absl::Time start = absl::Now();
  const absl::Duration grace = std::min(options.key_refused_grace, kMaxKeyRefusedGrace);
  std::optional<absl::Time> first_refusal;
  for (absl::Duration delay = kFirstDelay;; delay = std::min(2 * delay, kMaxDelay)) {
    auto connection = loop.Connect(target, options.limits);
    if (connection.ok()) return connection;
    const absl::Status& cause = connection.status();
    if (options.on_attempt) options.on_attempt(cause);
    const bool refused = absl::IsUnauthenticated(cause);
    if (refused && !first_refusal.has_value()) first_refusal = absl::Now();
    if (refused && absl::Now() + delay > *first_refusal + grace) return cause;
    if (!refused && !absl::IsUnavailable(cause)) return cause;
    const absl::Status waited = Delay(delay, options.limits);
    if (absl::IsCancelled(waited)) return waited;
    if (!waited.ok()) {
      return Annotate(
          cause, absl::StrCat("waiting for SSH on ", HostAndPort(target.host, target.port), " for ",
                              SecondsText(absl::Now() - start)));
    }
  }
}

}  // namespace machine::common
