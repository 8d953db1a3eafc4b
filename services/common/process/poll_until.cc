#include "services/common/process/poll_until.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "absl/time/clock.h"
#include "services/common/clock/clock.h"

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
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigset_t pending;
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t written = write(fd, bytes.data(), bytes.size());
  const int error = errno;
  if (written < 0 && error == EPIPE && !was_pending) {
    // Taken here, while it is blocked: it is raised for this thread, and only because of this
    // write.
    const timespec now = {};
    while (sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

}  // namespace machine::common
