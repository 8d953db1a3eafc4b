// Writing to pipes and sockets whose other end may be gone.
#ifndef SERVICES_COMMON_PROCESS_BROKEN_PIPE_H_
#define SERVICES_COMMON_PROCESS_BROKEN_PIPE_H_

#include <signal.h>

namespace machine::common {

/// While it lives, what this thread writes to an end that nobody reads fails with EPIPE and raises
/// no SIGPIPE, which would end the process. Other threads, the signal's handler and children are
/// not touched, as they would be by ignoring it. For libraries that write by themselves, too. One
/// may live inside another; begins and ends on one thread. Leaves errno as it is.
class BrokenPipeGuard {
 public:
  BrokenPipeGuard();
  ~BrokenPipeGuard();

  BrokenPipeGuard(const BrokenPipeGuard&) = delete;
  BrokenPipeGuard& operator=(const BrokenPipeGuard&) = delete;

 private:
  sigset_t before_;
  // One that waits already is somebody else's.
  bool was_pending_ = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_BROKEN_PIPE_H_
