// The calls a service has accepted and not yet answered, so that it can end in good order.
#ifndef DRIVERS_SDK_RUNNING_CALLS_H_
#define DRIVERS_SDK_RUNNING_CALLS_H_

#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver {

/// Thread-safe.
class RunningCalls {
 public:
  /// Takes note of a call; false once Drain() has begun: then refuse it.
  bool Add(std::shared_ptr<common::Cancellation> call) {
    absl::MutexLock lock(&mu_);
    if (draining_) return false;
    calls_.insert(std::move(call));
    return true;
  }

  void Remove(const std::shared_ptr<common::Cancellation>& call) {
    absl::MutexLock lock(&mu_);
    calls_.erase(call);
  }

  bool draining() const {
    absl::MutexLock lock(&mu_);
    return draining_;
  }

  /// Cancels all and waits until they are removed, at most `grace`. True when none is left.
  bool Drain(absl::Duration grace) {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    for (const auto& call : calls_) call->Cancel();
    const auto idle = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return calls_.empty(); };
    return mu_.AwaitWithTimeout(absl::Condition(&idle), grace);
  }

 private:
  mutable absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  std::set<std::shared_ptr<common::Cancellation>> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_RUNNING_CALLS_H_
