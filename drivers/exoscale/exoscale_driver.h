// Machines that are instances of the provider.
#ifndef DRIVERS_EXOSCALE_EXOSCALE_DRIVER_H_
#define DRIVERS_EXOSCALE_EXOSCALE_DRIVER_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/exoscale/exoscale_api.h"
#include "drivers/exoscale/machine_instance.h"
#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/cloud/host_files.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/driver.h"
#include "services/common/http/http_client.h"

namespace machine::driver::exoscale {

class ExoscaleDriver final : public InstanceDriver<ExoscaleApi, Instance> {
 public:
  // The API has one way to stop: the guest is asked, and powered off when it does not obey.
  explicit ExoscaleDriver(Timing timing = {}, Environment environment = ProcessEnvironment)
      : InstanceDriver({.provider = "Exoscale", .kill = "stop"}, timing.poll, timing.grace),
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
  absl::StatusOr<std::shared_ptr<ExoscaleApi>> AccountOf(const Options& options) override;
  absl::StatusOr<std::optional<Instance>> Find(DriverCall& call, const ExoscaleApi& api,
                                               const MachineSpec& machine) override;
  MachineState StateIn(const Instance& instance) const override;
  absl::StatusOr<PendingAction> Act(DriverCall& call, const ExoscaleApi& api,
                                    const Instance& instance, absl::string_view action,
                                    int times) override;
  absl::StatusOr<Observation> Observe(DriverCall& call, const ExoscaleApi& api,
                                      const MachineSpec& machine,
                                      const Instance& instance) override;
  absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const ExoscaleApi& api,
                                                      const AccountMachines& machines) override;
  absl::Status RemoveAllOf(DriverCall& call, const ExoscaleApi& api,
                           const MachineSpec& machine) override;
  /// In `zone`, whatever the options say.
  absl::StatusOr<std::shared_ptr<ExoscaleApi>> AccountIn(const Options& options,
                                                         absl::string_view zone);

  const Timing timing_;
  const Environment environment_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<ExoscaleApi> accounts_;
};

}  // namespace machine::driver::exoscale

#endif  // DRIVERS_EXOSCALE_EXOSCALE_DRIVER_H_
