// Processes known by number only, for example from a file that another process wrote. A number is
// reused after its process has ended, so it is always paired with the start time.
#ifndef SERVICES_COMMON_PROCESS_PROCESS_ID_H_
#define SERVICES_COMMON_PROCESS_PROCESS_ID_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace machine::common {

/// When process `pid` started, in clock ticks since boot (field 22 of proc(5) "stat").
/// NOT_FOUND when there is no such process.
absl::StatusOr<int64_t> ProcessStartTime(pid_t pid);

/// Whether `pid` still is the process that started at `start_time`, and runs. A zombie does not.
bool IsAlive(pid_t pid, int64_t start_time);

/// Sends `signal` to `pid` if it still is the process that started at `start_time`; NOT_FOUND when
/// it is not. There is no moment at which another process with the same number could be hit.
absl::Status SignalProcess(pid_t pid, int64_t start_time, int signal);

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_PROCESS_ID_H_
