// poll() with a deadline, and writing to pipes whose reader may be gone. For this folder only.
#ifndef SERVICES_COMMON_PROCESS_POLL_UNTIL_H_
#define SERVICES_COMMON_PROCESS_POLL_UNTIL_H_

#include <poll.h>
#include <sys/types.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace machine::common {

/// Waits until one of `fds` is ready. DEADLINE_EXCEEDED when none is by `deadline`, which is turned
/// into a length of time at once, so that a later jump of the wall clock does no harm.
absl::Status PollUntil(absl::Span<pollfd> fds, absl::Time deadline);

/// write(2) that answers EPIPE and never raises SIGPIPE in this process.
ssize_t WriteQuietly(int fd, absl::string_view bytes);

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_POLL_UNTIL_H_
