// Machines that are virtual machines of Azure Resource Manager.
#ifndef DRIVERS_AZURE_AZURE_DRIVER_H_
#define DRIVERS_AZURE_AZURE_DRIVER_H_

#include <memory>
#include <optional>
#include <vector>

#include "drivers/azure/azure_api.h"
#include "drivers/azure/azure_auth.h"
#include "drivers/azure/machine_vm.h"
#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/driver.h"
#include "services/common/http/http_client.h"

namespace machine::driver::azure {

class AzureDriver final : public Driver {
 public:
  explicit AzureDriver(Timing timing = {}, Surroundings surroundings = Surroundings::OfProcess())
      : timing_(timing), surroundings_(std::move(surroundings)) {}

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
  absl::StatusOr<std::shared_ptr<AzureApi>> AccountOf(const Options& options);
  /// Brings the machine's virtual machine to `wanted` by `verb`; see BringTo().
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine,
                                    MachineState wanted, absl::string_view verb,
                                    absl::Duration limit);

  const Timing timing_;
  const Surroundings surroundings_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<AzureApi> accounts_;
};

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_AZURE_DRIVER_H_
