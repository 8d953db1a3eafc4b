// Machines in Hyper-V, by PowerShell on a Windows host.
#ifndef DRIVERS_HYPER_V_HYPERV_DRIVER_H_
#define DRIVERS_HYPER_V_HYPERV_DRIVER_H_

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hyper-v/images.h"
#include "drivers/hyper-v/powershell.h"
#include "drivers/hyper-v/settings.h"
#include "drivers/hyper-v/state.pb.h"
#include "drivers/hypervisor/tool_hosts.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::hyperv {

/// The state of a machine whose property State is `state`.
MachineState StateOf(absl::string_view state);

/// A machine as kLookScript tells it.
struct SeenVm {
  std::string name;
  std::string id;
  std::string path;
  std::string state;
  std::string notes;
  int cds = 0;
  std::vector<std::string> addresses;
};

/// Those of the script's answer that are well-formed.
std::vector<SeenVm> ParseVms(const nlohmann::json& rows);

class HypervDriver final : public Driver {
 public:
  HypervDriver() = default;

  DriverInfo info() const override;
  Flags flags() const override;
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
  /// One script for all machines of a host.
  absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  struct Switch {
    std::string name;
    std::string type;
  };

  // Hyper-V on one host.
  struct Host {
    Host(hypervisor::ToolHost& host, const std::string& its_folder, int its_cpus)
        : folder(its_folder), cpus(its_cpus), powershell(host), images(powershell, its_folder) {}

    // The driver's own there.
    const std::string folder;
    const int cpus;
    PowerShell powershell;
    Images images;
  };

  // What every method needs.
  struct Place {
    Settings settings;
    State state;
    Host* host = nullptr;
    // The machine's.
    std::string folder;
    std::string ssh_user;
  };

  absl::StatusOr<Place> PlaceOf(DriverCall& call, const MachineSpec& machine);
  // Of machines on one host.
  absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call,
                                                      const AccountMachines& machines);
  absl::StatusOr<std::optional<SeenVm>> Look(DriverCall& call, const Place& place) const;
  absl::StatusOr<SeenVm> Require(DriverCall& call, const MachineSpec& machine,
                                 const Place& place) const;
  absl::Status CheckNameIsFree(DriverCall& call, const MachineSpec& machine,
                               const Place& place) const;
  // The name of the switch to use. Errors: PreCreateCheckFailed().
  absl::StatusOr<std::string> ChooseSwitch(DriverCall& call, const Place& place) const;
  absl::Status Make(DriverCall& call, const MachineSpec& machine, const Place& place) const;
  absl::Status PowerOn(DriverCall& call, const MachineSpec& machine, const Place& place) const;
  absl::Status PowerOff(DriverCall& call, const MachineSpec& machine, const Place& place,
                        absl::Duration grace) const;
  absl::StatusOr<Observation> Observe(DriverCall& call, const Place& place) const;
  static Observation ObservationOf(const Place& place, const SeenVm& vm);
  // The address comes once the guest is up.
  absl::StatusOr<Observation> ObserveStarted(DriverCall& call, const MachineSpec& machine,
                                             const Place& place) const;

  hypervisor::ToolHosts tools_{hypervisor::RemoteShell::kWindows};
  absl::Mutex mu_;
  std::map<hypervisor::ToolHost*, std::unique_ptr<Host>> hosts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::hyperv

#endif  // DRIVERS_HYPER_V_HYPERV_DRIVER_H_
