#ifndef DRIVERS_VMWAREFUSION_VM_RUN_H_
#define DRIVERS_VMWAREFUSION_VM_RUN_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/serial_gate.h"
#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::vmwarefusion {

/// What VMware's host is.
struct HostFacts {
  /// "fusion" on macOS, "ws" (Workstation) on Linux: how vmrun is told what to drive.
  std::string product;
  bool arm = false;
  int cpus = 0;
  /// Absolute paths.
  std::string vmrun;
  std::string disk_manager;
  /// Files of DHCP leases; not all exist.
  std::vector<std::string> leases;
};

/// VMware's tools on one host. What changes something runs one at a time. Thread-safe.
class VmRun {
 public:
  /// `host` outlives it.
  explicit VmRun(hypervisor::ToolHost& host) : host_(host) {}

  hypervisor::ToolHost& host() { return host_; }

  /// Asked for once. Errors: FAILED_PRECONDITION PRECREATE_CHECK_FAILED when VMware is not there.
  absl::StatusOr<HostFacts> Facts(common::CallScope& call);

  /// Paths of the .vmx files of machines that run.
  absl::StatusOr<std::set<std::string>> Running(common::CallScope& call);

  /// What `vmrun COMMAND` prints. Errors: FAILED_PRECONDITION HOST_COMMAND_FAILED with its words,
  /// or those of ToolHost::Run().
  absl::StatusOr<std::string> Read(common::CallScope& call, std::vector<std::string> args);
  /// The same of a command that changes something.
  absl::Status Write(common::CallScope& call, std::vector<std::string> args,
                     absl::Duration timeout = absl::Minutes(5));

  /// Runs vmware-vdiskmanager.
  absl::Status Disk(common::CallScope& call, std::vector<std::string> args);

 private:
  hypervisor::ToolHost& host_;
  hypervisor::SerialGate starts_;
  absl::Mutex mu_;
  std::optional<HostFacts> facts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::vmwarefusion

#endif  // DRIVERS_VMWAREFUSION_VM_RUN_H_
