// Machines that are virtual machines of this host, by QEMU without anything in between.
#ifndef DRIVERS_QEMU_QEMU_DRIVER_H_
#define DRIVERS_QEMU_QEMU_DRIVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/hypervisor/local_tool_host.h"
#include "drivers/qemu/accelerator.h"
#include "drivers/qemu/base_images.h"
#include "drivers/qemu/machine_folder.h"
#include "drivers/qemu/settings.h"
#include "drivers/qemu/virtual_machine.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::qemu {

class QemuDriver final : public Driver {
 public:
  /// `kvm_device` is where KVM's device is.
  explicit QemuDriver(std::string kvm_device = "/dev/kvm") : kvm_device_(std::move(kvm_device)) {}

  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Init(const DriverEnvironment& environment) override;
  absl::Status Validate(Options& options) const override;
  absl::Status PreCreateCheck(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Start(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Stop(DriverCall& call, const MachineSpec& machine,
                                   std::optional<absl::Duration> grace) override;
  absl::StatusOr<Observation> Kill(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine) override;
  absl::Status Remove(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;

 private:
  // A machine that has a folder.
  struct Found {
    MachineFile file;
    std::string folder;

    VirtualMachine vm() const { return VirtualMachine(file.name, file.uid, folder); }
  };

  // FAILED_PRECONDITION when the driver has no folder.
  absl::Status RequireFolder() const;
  absl::StatusOr<std::optional<Found>> Find(absl::string_view uid) const;
  absl::StatusOr<Found> Require(const MachineSpec& machine) const;
  absl::StatusOr<Found> AdoptOrAdd(DriverCall& call, const MachineSpec& machine,
                                   const Settings& settings);
  // Makes the files that QEMU is started with, as far as they are missing.
  absl::Status MakeFiles(DriverCall& call, const MachineSpec& machine, const Settings& settings,
                         const Found& found);
  // Has it run, whatever it did before; at a create with other ports where the first are taken.
  absl::Status PowerOn(DriverCall& call, const Settings& settings, Found& found, bool creating);
  absl::StatusOr<Observation> Observe(const common::CallScope& call, const Found& found) const;
  // With a bridge the address comes once the guest is up.
  absl::StatusOr<Observation> ObserveStarted(DriverCall& call, const Found& found) const;

  const std::string kvm_device_;
  hypervisor::LocalToolHost host_;
  std::string folder_;
  std::unique_ptr<MachineFolders> machines_;
  std::unique_ptr<BaseImages> images_;
  std::unique_ptr<Accelerators> accelerators_;
};

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_QEMU_DRIVER_H_
