// The time in which this process may work under one owner of leases.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_TENURE_H_
#define SERVICES_ORCHESTRATOR_ENGINE_TENURE_H_

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"

namespace machine::orchestrator {

/// Ends for good when leases were not renewed for `give_up`: then others are about to take the
/// operations over, and whoever works under this owner must stop before they begin. Going by the
/// steady clock, it also notices that the process was stopped for a while. Thread-safe.
class Tenure {
 public:
  Tenure(absl::string_view owner, absl::Duration give_up, const common::Clock& clock)
      : owner_(owner), give_up_(give_up), clock_(clock), renewed_(clock.Steady()) {}

  const std::string& owner() const { return owner_; }

  /// The leases were renewed by a call that began at `start` by the steady clock.
  void Renewed(absl::Duration start) {
    absl::MutexLock lock(&mu_);
    renewed_ = start;
  }

  /// Whether it lasts. To be asked before each effect.
  bool Lasts() {
    absl::MutexLock lock(&mu_);
    if (clock_.Steady() - renewed_ >= give_up_) over_ = true;
    return !over_;
  }

 private:
  const std::string owner_;
  const absl::Duration give_up_;
  const common::Clock& clock_;
  absl::Mutex mu_;
  absl::Duration renewed_ ABSL_GUARDED_BY(mu_);
  bool over_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_TENURE_H_
