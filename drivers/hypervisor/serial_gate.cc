#include "drivers/hypervisor/serial_gate.h"

#include "absl/cleanup/cleanup.h"
#include "absl/time/time.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

// How soon a cancel is obeyed.
constexpr absl::Duration kLook = absl::Milliseconds(100);

}  // namespace

absl::Status SerialGate::Run(const common::CallScope& call,
                             absl::AnyInvocable<absl::Status()> work) {
  {
    absl::MutexLock lock(&mu_);
    while (taken_) {
      const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !taken_; };
      mu_.AwaitWithTimeout(absl::Condition(&free), kLook);
      DM_RETURN_IF_ERROR(call.Check());
    }
    DM_RETURN_IF_ERROR(call.Check());
    taken_ = true;
  }
  const absl::Cleanup done = [this] {
    absl::MutexLock lock(&mu_);
    taken_ = false;
  };
  return work();
}

}  // namespace machine::driver::hypervisor
