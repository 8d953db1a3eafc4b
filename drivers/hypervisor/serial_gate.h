#ifndef DRIVERS_HYPERVISOR_SERIAL_GATE_H_
#define DRIVERS_HYPERVISOR_SERIAL_GATE_H_

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::hypervisor {

/// Lets one call at a time do what the hypervisor cannot do twice at once. Thread-safe.
class SerialGate {
 public:
  /// Waits for its turn and does `work`. Errors: those of call.Check() while it waits, or of
  /// `work`.
  absl::Status Run(const common::CallScope& call, absl::AnyInvocable<absl::Status()> work);

 private:
  absl::Mutex mu_;
  bool taken_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_SERIAL_GATE_H_
