#ifndef DRIVERS_VMWAREVSPHERE_VSPHERE_DRIVER_H_
#define DRIVERS_VMWAREVSPHERE_VSPHERE_DRIVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/hypervisor/image_store.h"
#include "drivers/hypervisor/local_tool_host.h"
#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/driver.h"
#include "drivers/vmwarevsphere/machine_vm.h"
#include "drivers/vmwarevsphere/vim_client.h"
#include "services/common/http/http_client.h"

namespace machine::driver::vmwarevsphere {

/// Machines that are virtual machines of a vCenter or an ESXi host.
class VsphereDriver final : public Driver {
 public:
  explicit VsphereDriver(Timing timing = Timing()) : timing_(timing) {}

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
  absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  absl::StatusOr<std::shared_ptr<VimClient>> AccountOf(const Options& options);
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine,
                                    absl::string_view power, absl::string_view method,
                                    absl::Duration grace);
  absl::Status CheckAtServer(DriverCall& call, VimClient& client, const MachineSpec& machine,
                             const Settings& settings);

  const Timing timing_;
  hypervisor::LocalToolHost host_;
  std::unique_ptr<hypervisor::ImageStore> images_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<VimClient> accounts_;
};

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_VSPHERE_DRIVER_H_
