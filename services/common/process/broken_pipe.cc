#include "services/common/process/broken_pipe.h"

#include <cerrno>
#include <ctime>

namespace machine::common {
namespace {

sigset_t PipeSignal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

bool IsPending() {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

}  // namespace

BrokenPipeGuard::BrokenPipeGuard() {
  const sigset_t pipe_signal = PipeSignal();
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before_);
  was_pending_ = IsPending();
}

BrokenPipeGuard::~BrokenPipeGuard() {
  const int error = errno;
  if (!was_pending_ && IsPending()) {
    // Taken here, while it is blocked: a write raises it for the thread that writes.
    const sigset_t pipe_signal = PipeSignal();
    const timespec now = {};
    while (sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = error;
}

}  // namespace machine::common
