// Whether guests run by KVM or by software emulation.
#ifndef DRIVERS_QEMU_ACCELERATOR_H_
#define DRIVERS_QEMU_ACCELERATOR_H_

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/tool_host.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::qemu {

/// The program for guests of this host's kind, looked up in PATH.
inline constexpr absl::string_view kSystemProgram = "qemu-system-x86_64";

struct Accelerator {
  /// "kvm" or "tcg".
  std::string name;
  /// With tcg: why not KVM; empty where it was asked for.
  std::string reason;
};

/// Finds out whether KVM works by a first run of a guest, once for the life of this object: the
/// device alone says little inside of a virtual machine. Thread-safe.
class Accelerators {
 public:
  /// `host` outlives it. `folder` (which must exist at Choose()) is for a small file; `device` is
  /// KVM's.
  Accelerators(hypervisor::ToolHost& host, std::string folder, std::string device)
      : host_(host), folder_(std::move(folder)), device_(std::move(device)) {}

  /// `wanted` is "auto", "kvm" or "tcg". Errors: FAILED_PRECONDITION VIRTUALIZATION_DISABLED when
  /// KVM is wanted and does not work; those of ToolHost::Run().
  absl::StatusOr<Accelerator> Choose(common::CallScope& call, absl::string_view wanted);

 private:
  // Why KVM does not work; empty when it does.
  absl::StatusOr<std::string> WhyNotKvm(common::CallScope& call);
  absl::StatusOr<std::string> FirstRun(common::CallScope& call);

  hypervisor::ToolHost& host_;
  const std::string folder_;
  const std::string device_;
  absl::Mutex mu_;
  std::optional<std::string> why_not_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_ACCELERATOR_H_
