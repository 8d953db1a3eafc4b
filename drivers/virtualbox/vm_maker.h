// Makes a machine in VirtualBox, step by step: each looks whether it was done already.
#ifndef DRIVERS_VIRTUALBOX_VM_MAKER_H_
#define DRIVERS_VIRTUALBOX_VM_MAKER_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/sdk/driver.h"
#include "drivers/virtualbox/settings.h"
#include "drivers/virtualbox/vbox_manage.h"
#include "drivers/virtualbox/virtual_machine.h"

namespace machine::driver::virtualbox {

/// Where the machine `uid` has its files, below the driver's `folder` on VirtualBox's host.
std::string MachineFolder(absl::string_view folder, absl::string_view uid);

/// What is kept with a machine in VirtualBox.
struct VmRecord {
  std::string orchestrator_id;
  /// FixedSettings() of what was asked for.
  std::string settings;
};

/// Reads it; no value where there is none.
absl::StatusOr<std::optional<VmRecord>> ReadRecord(common::CallScope& call, VBoxManage& vbox,
                                                   const std::string& vm);

/// FAILED_PRECONDITION when another machine in VirtualBox has this name.
absl::Status CheckNameIsFree(common::CallScope& call, VBoxManage& vbox, const MachineSpec& machine);

class VmMaker {
 public:
  /// All outlive it. `folder` is the driver's own on VirtualBox's host.
  VmMaker(VBoxManage& vbox, hypervisor::ImageStore& images, std::string folder)
      : vbox_(vbox), images_(images), folder_(std::move(folder)) {}

  /// Makes what is missing of a machine that is off; one that runs is complete.
  /// Errors: InstanceDiffers(); BadOption() for an image that does not fit; as VBoxManage's.
  absl::Status Make(DriverCall& call, const MachineSpec& machine, const Settings& settings);

 private:
  absl::Status Register(DriverCall& call, const MachineSpec& machine);
  absl::Status Configure(DriverCall& call, const MachineSpec& machine, const Settings& settings,
                         const VmInfo& info);
  absl::Status AddPorts(DriverCall& call, const MachineSpec& machine, const Settings& settings,
                        const VmInfo& info);
  absl::Status AddDisk(DriverCall& call, const MachineSpec& machine, const Settings& settings);
  absl::Status DiskFromImage(DriverCall& call, const Settings& settings, const std::string& disk);
  absl::Status DiskForBoot2docker(DriverCall& call, const MachineSpec& machine,
                                  const Settings& settings, const std::string& disk);
  absl::Status AddShares(DriverCall& call, const MachineSpec& machine, const Settings& settings,
                         const VmInfo& info);
  absl::Status AddCd(DriverCall& call, const MachineSpec& machine, const Settings& settings);
  absl::StatusOr<int64_t> Cpus(DriverCall& call, const Settings& settings);
  std::string Path(const MachineSpec& machine, absl::string_view leaf) const;

  VBoxManage& vbox_;
  hypervisor::ImageStore& images_;
  const std::string folder_;
};

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_VM_MAKER_H_
