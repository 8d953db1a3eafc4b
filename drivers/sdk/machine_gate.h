// Who may act on a machine: one action at a time, and none of an owner that has been replaced.
#ifndef DRIVERS_SDK_MACHINE_GATE_H_
#define DRIVERS_SDK_MACHINE_GATE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver {

/// Remembers the highest fencing token of each machine and queues actions by machine. Thread-safe;
/// nothing blocks.
class MachineGate {
 public:
  /// Beyond `capacity` machines, those that were idle longest are forgotten.
  explicit MachineGate(size_t capacity = 1 << 16) : capacity_(capacity) {}

  /// Takes note of `token`. ABORTED STALE_FENCING_TOKEN when a higher one was seen for `uid`.
  absl::Status Admit(absl::string_view uid, int64_t token);

  /// As Admit(), then runs `start` once no other action on the machine is left: at once, or within
  /// the Leave() of the one before. Actions with a lower token are cancelled, those with the same
  /// token are waited for. Each `start` must be followed by one Leave().
  absl::Status Enter(absl::string_view uid, int64_t token,
                     std::shared_ptr<common::Cancellation> cancellation,
                     absl::AnyInvocable<void()> start);

  /// The action that runs on `uid` has ended; starts the next. Returns the highest token seen.
  int64_t Leave(absl::string_view uid);

 private:
  struct Action {
    int64_t token;
    std::shared_ptr<common::Cancellation> cancellation;
    absl::AnyInvocable<void()> start;
  };
  struct Machine {
    int64_t highest_token = 0;
    int64_t last_used = 0;
    std::deque<Action> actions;  // The first one runs.
  };

  absl::Status AdmitLocked(absl::string_view uid, int64_t token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetOldLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t capacity_;
  absl::Mutex mu_;
  int64_t uses_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Machine, std::less<>> machines_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_MACHINE_GATE_H_
