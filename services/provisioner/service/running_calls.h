// The calls under way, so that the process can end gracefully.
#ifndef SERVICES_PROVISIONER_SERVICE_RUNNING_CALLS_H_
#define SERVICES_PROVISIONER_SERVICE_RUNNING_CALLS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace machine::provisioner {

/// Thread-safe. Must outlive what Enter() gives out.
class RunningCalls {
 public:
  /// Counts a call until the result is destroyed. `stop` asks it to end: it does not block, may
  /// come from any thread, and may come late. UNAVAILABLE SHUTTING_DOWN after Drain().
  absl::StatusOr<std::shared_ptr<void>> Enter(std::function<void()> stop);

  /// Lets no more calls in, stops those that run, and waits for them; true when none is left.
  bool Drain(absl::Duration grace);

  /// How many calls were let in so far.
  int64_t entered() const;

 private:
  mutable absl::Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  int64_t next_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int64_t, std::function<void()>> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_RUNNING_CALLS_H_
