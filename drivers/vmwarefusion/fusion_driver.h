// Machines in VMware Fusion or Workstation, on this host or another, by vmrun.
#ifndef DRIVERS_VMWAREFUSION_FUSION_DRIVER_H_
#define DRIVERS_VMWAREFUSION_FUSION_DRIVER_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/image_store.h"
#include "drivers/hypervisor/tool_hosts.h"
#include "drivers/sdk/driver.h"
#include "drivers/vmwarefusion/machine_files.h"
#include "drivers/vmwarefusion/settings.h"
#include "drivers/vmwarefusion/state.pb.h"
#include "drivers/vmwarefusion/vm_run.h"

namespace machine::driver::vmwarefusion {

class FusionDriver final : public Driver {
 public:
  FusionDriver() = default;

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
  /// Asks each host once what runs there.
  absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  // VMware on one host.
  struct Host {
    Host(hypervisor::ToolHost& host, const std::string& folder)
        : vmrun(host), images(host, folder + "/cache"), files(vmrun, images, folder) {}

    VmRun vmrun;
    hypervisor::ImageStore images;
    MachineFiles files;
  };

  // What every method needs.
  struct Place {
    Settings settings;
    std::string uid;
    State state;
    Host* host = nullptr;
    std::string vmx;
    std::string ssh_user;
  };

  absl::StatusOr<Place> PlaceOf(DriverCall& call, const MachineSpec& machine);
  // `running` is what VmRun::Running() said, to not ask again.
  absl::StatusOr<MachineState> StateNow(DriverCall& call, const Place& place,
                                        const std::set<std::string>* running = nullptr) const;
  // The same; NOT_FOUND INSTANCE_GONE when it is not there.
  absl::StatusOr<MachineState> Require(DriverCall& call, const MachineSpec& machine,
                                       const Place& place) const;
  absl::Status PowerOn(DriverCall& call, const Place& place) const;
  // Has a paused machine go on. `vmrun list` shows it as one that runs, so there is no telling.
  static void Unpause(DriverCall& call, const Place& place);
  absl::Status PowerOff(DriverCall& call, const MachineSpec& machine, const Place& place,
                        absl::Duration grace) const;
  absl::StatusOr<std::string> AddressOf(DriverCall& call, const Place& place) const;
  absl::StatusOr<Observation> Observe(DriverCall& call, const MachineSpec& machine,
                                      const Place& place,
                                      const std::set<std::string>* running = nullptr) const;
  // The address comes once the guest is up.
  absl::StatusOr<Observation> ObserveStarted(DriverCall& call, const MachineSpec& machine,
                                             const Place& place) const;

  std::string folder_;
  hypervisor::ToolHosts tools_{hypervisor::RemoteShell::kPosix};
  absl::Mutex mu_;
  std::map<hypervisor::ToolHost*, std::unique_ptr<Host>> hosts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::vmwarefusion

#endif  // DRIVERS_VMWAREFUSION_FUSION_DRIVER_H_
