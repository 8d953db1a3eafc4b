#include "services/common/process/poll_until.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "services/common/clock/clock.h"
#include "services/common/process/broken_pipe.h"

namespace machine::common {

absl::Status PollUntil(absl::Span<pollfd> fds, absl::Time deadline) {
  const Clock& clock = Clock::Real();
  const absl::Duration end = clock.Steady() + (deadline - clock.Now());
  while (true) {
    int timeout_ms = -1;
    if (deadline != absl::InfiniteFuture()) {
      const absl::Duration left =
          std::clamp(end - clock.Steady(), absl::ZeroDuration(), absl::Hours(1));
      // Rounded up: a wait that ends early would spin for the rest of the millisecond.
      timeout_ms =
          static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))));
    }
    const int ready = poll(fds.data(), fds.size(), timeout_ms);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
    if (ready == 0 && clock.Steady() >= end) {
      return absl::DeadlineExceededError("nothing came before the deadline");
    }
  }
}

ssize_t WriteQuietly(int fd, absl::string_view bytes) {
  const BrokenPipeGuard guard;
  return write(fd, bytes.data(), bytes.size());
}

}  // namespace machine::common
