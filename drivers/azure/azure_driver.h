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
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/driver.h"
#include "services/common/http/http_client.h"

namespace machine::driver::azure {

class AzureDriver final : public InstanceDriver<AzureApi, VirtualMachine> {
 public:
  explicit AzureDriver(Timing timing = {}, Surroundings surroundings = Surroundings::OfProcess())
      : InstanceDriver({.provider = "Azure",
                        .instance = "virtual machine",
                        .stop = kDeallocate,
                        .kill = "powerOff",
                        .reboot = "restart",
                        .release = kDeallocate},
                       timing.poll, timing.grace),
        timing_(timing),
        surroundings_(std::move(surroundings)) {}

  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Init(const DriverEnvironment& environment) override;
  absl::Status Validate(Options& options) const override;
  absl::Status PreCreateCheck(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;
  absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine) override;

 private:
  /// Shuts down, and gives the capacity back, so that only disk and address cost.
  static constexpr absl::string_view kDeallocate = "deallocate";

  absl::StatusOr<std::shared_ptr<AzureApi>> AccountOf(const Options& options) override;
  absl::StatusOr<std::optional<VirtualMachine>> Find(DriverCall& call, const AzureApi& api,
                                                     const MachineSpec& machine) override;
  MachineState StateIn(const VirtualMachine& vm) const override;
  bool IsThere(const VirtualMachine& vm, MachineState wanted,
               absl::string_view action) const override;
  bool IsBusy(const VirtualMachine& vm, MachineState wanted) const override;
  absl::StatusOr<PendingAction> Act(DriverCall& call, const AzureApi& api, const VirtualMachine& vm,
                                    absl::string_view action, int times) override;
  absl::StatusOr<Observation> Observe(DriverCall& call, const AzureApi& api,
                                      const MachineSpec& machine,
                                      const VirtualMachine& vm) override;
  absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const AzureApi& api,
                                                      const AccountMachines& machines) override;
  absl::Status RemoveAllOf(DriverCall& call, const AzureApi& api,
                           const MachineSpec& machine) override;

  const Timing timing_;
  const Surroundings surroundings_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<AzureApi> accounts_;
};

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_AZURE_DRIVER_H_
