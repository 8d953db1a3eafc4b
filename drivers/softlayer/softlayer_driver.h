// Machines that are instances of the provider.
#ifndef DRIVERS_SOFTLAYER_SOFTLAYER_DRIVER_H_
#define DRIVERS_SOFTLAYER_SOFTLAYER_DRIVER_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/cloud/host_files.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/driver.h"
#include "drivers/softlayer/machine_instance.h"
#include "drivers/softlayer/softlayer_api.h"
#include "services/common/http/http_client.h"

namespace machine::driver::softlayer {

class SoftLayerDriver final : public InstanceDriver<SoftLayerApi, Guest> {
 public:
  explicit SoftLayerDriver(Timing timing = {}, Environment environment = ProcessEnvironment)
      : InstanceDriver({.provider = "SoftLayer",
                        .instance = "virtual guest",
                        .start = "powerOn",
                        .stop = "powerOffSoft",
                        .kill = "powerOff",
                        .reboot = "rebootSoft"},
                       timing.poll, timing.grace),
        timing_(timing),
        environment_(std::move(environment)) {}

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
  absl::StatusOr<std::shared_ptr<SoftLayerApi>> AccountOf(const Options& options) override;
  absl::StatusOr<std::optional<Guest>> Find(DriverCall& call, const SoftLayerApi& api,
                                            const MachineSpec& machine) override;
  MachineState StateIn(const Guest& guest) const override;
  bool IsBusy(const Guest& guest, MachineState) const override {
    return !guest.transaction.empty();
  }
  absl::StatusOr<PendingAction> Act(DriverCall& call, const SoftLayerApi& api, const Guest& guest,
                                    absl::string_view action, int times) override;
  absl::StatusOr<Observation> Observe(DriverCall& call, const SoftLayerApi& api,
                                      const MachineSpec& machine, const Guest& guest) override;
  absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const SoftLayerApi& api,
                                                      const AccountMachines& machines) override;
  absl::Status RemoveAllOf(DriverCall& call, const SoftLayerApi& api,
                           const MachineSpec& machine) override;

  const Timing timing_;
  const Environment environment_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<SoftLayerApi> accounts_;
};

}  // namespace machine::driver::softlayer

#endif  // DRIVERS_SOFTLAYER_SOFTLAYER_DRIVER_H_
