// A machine's folder on VMware's host: what it is, its disk, its CD, and the file for VMware.
#ifndef DRIVERS_VMWAREFUSION_MACHINE_FILES_H_
#define DRIVERS_VMWAREFUSION_MACHINE_FILES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/sdk/driver.h"
#include "drivers/vmwarefusion/settings.h"
#include "drivers/vmwarefusion/vm_run.h"
#include "drivers/vmwarefusion/vmx.h"

namespace machine::driver::vmwarefusion {

/// What the file machine.json in a machine's folder says.
struct MachineRecord {
  std::string name;
  std::string orchestrator_id;
  /// FixedSettings() of what was asked for.
  std::string settings;
};

/// The hardware address of machine `uid`, of those that VMware leaves to its users.
std::string MacOf(absl::string_view uid);

/// What VMware is to know of a machine whose files are in `folder`.
Vmx MakeVmx(const MachineSpec& machine, const Settings& settings, const HostFacts& facts);

/// All machines of the driver on one host. Calls about one machine come one at a time.
class MachineFiles {
 public:
  /// All outlive it. `folder` is the driver's own there.
  MachineFiles(VmRun& vmrun, hypervisor::ImageStore& images, std::string folder)
      : vmrun_(vmrun), images_(images), folder_(std::move(folder)) {}

  std::string FolderOf(absl::string_view uid) const;
  std::string VmxOf(absl::string_view uid) const;

  /// No value when there is no such machine.
  absl::StatusOr<std::optional<MachineRecord>> Read(common::CallScope& call,
                                                    absl::string_view uid) const;
  /// The uids of all machines.
  absl::StatusOr<std::vector<std::string>> List(common::CallScope& call) const;

  /// Makes what is missing; the file for VMware comes last. Errors: InstanceDiffers(), BadOption().
  absl::Status Make(DriverCall& call, const MachineSpec& machine, const Settings& settings) const;

 private:
  absl::Status MakeDisk(DriverCall& call, const Settings& settings, const HostFacts& facts,
                        const std::string& disk) const;

  VmRun& vmrun_;
  hypervisor::ImageStore& images_;
  const std::string folder_;
};

}  // namespace machine::driver::vmwarefusion

#endif  // DRIVERS_VMWAREFUSION_MACHINE_FILES_H_
