// Machines in VirtualBox, on this host or another, by VBoxManage.
#ifndef DRIVERS_VIRTUALBOX_VIRTUALBOX_DRIVER_H_
#define DRIVERS_VIRTUALBOX_VIRTUALBOX_DRIVER_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/hypervisor/tool_hosts.h"
#include "drivers/sdk/driver.h"
#include "drivers/virtualbox/settings.h"
#include "drivers/virtualbox/state.pb.h"
#include "drivers/virtualbox/vbox_manage.h"
#include "drivers/virtualbox/virtual_machine.h"

namespace machine::driver::virtualbox {

class VirtualboxDriver final : public Driver {
 public:
  VirtualboxDriver() = default;

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
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  // VirtualBox on one host.
  struct Host {
    Host(hypervisor::ToolHost& host, const std::string& its_folder)
        : folder(its_folder), vbox(host), images(host, its_folder + "/cache") {}

    // The driver's own there.
    const std::string folder;
    VBoxManage vbox;
    hypervisor::ImageStore images;
  };

  // What every method needs.
  struct Place {
    Settings settings;
    State state;
    Host* host = nullptr;
    std::string vm;
    std::string ssh_user;
  };

  absl::StatusOr<Host*> HostOf(DriverCall& call, const Settings& settings,
                               const std::string& agent_socket);
  absl::StatusOr<Place> PlaceOf(DriverCall& call, const MachineSpec& machine);
  static VirtualMachine VmOf(const Place& place, const MachineSpec& machine);
  absl::StatusOr<Observation> Observe(DriverCall& call, const MachineSpec& machine,
                                      const Place& place) const;
  // The address comes once the guest is up.
  absl::StatusOr<Observation> ObserveStarted(DriverCall& call, const MachineSpec& machine,
                                             const Place& place) const;
  absl::Status FillIn(DriverCall& call, const Place& place, const VmInfo& info,
                      Observation& observation) const;

  std::string folder_;
  hypervisor::ToolHosts tools_{hypervisor::RemoteShell::kPosix};
  absl::Mutex mu_;
  std::map<hypervisor::ToolHost*, std::unique_ptr<Host>> hosts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_VIRTUALBOX_DRIVER_H_
