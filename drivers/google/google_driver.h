// Machines that are instances of Google Compute Engine.
#ifndef DRIVERS_GOOGLE_GOOGLE_DRIVER_H_
#define DRIVERS_GOOGLE_GOOGLE_DRIVER_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/google/google_api.h"
#include "drivers/google/google_auth.h"
#include "drivers/google/machine_instance.h"
#include "drivers/google/settings.h"
#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/driver.h"
#include "services/common/http/http_client.h"

namespace machine::driver::gce {

class GoogleDriver final : public InstanceDriver<GoogleApi, Instance> {
 public:
  explicit GoogleDriver(Timing timing = {}, Surroundings surroundings = Surroundings::OfProcess())
      // A restart is no stop and start, which would give the instance another address.
      : InstanceDriver({.provider = "Google", .kill = "stop", .reboot = "reset"}, timing.poll,
                       timing.grace),
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
  /// One for each project and set of credentials, so that tokens are kept.
  absl::StatusOr<std::shared_ptr<GoogleApi>> AccountOf(const Options& options) override;
  std::unique_ptr<TokenSource> TokensOf(const Credentials& credentials) const;
  absl::StatusOr<std::optional<Instance>> Find(DriverCall& call, const GoogleApi& api,
                                               const MachineSpec& machine) override;
  MachineState StateIn(const Instance& instance) const override;
  bool IsBusy(const Instance& instance, MachineState wanted) const override;
  absl::StatusOr<PendingAction> Act(DriverCall& call, const GoogleApi& api,
                                    const Instance& instance, absl::string_view action,
                                    int times) override;
  absl::StatusOr<Observation> Observe(DriverCall& call, const GoogleApi& api,
                                      const MachineSpec& machine,
                                      const Instance& instance) override;
  absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const GoogleApi& api,
                                                      const AccountMachines& machines) override;
  absl::Status RemoveAllOf(DriverCall& call, const GoogleApi& api,
                           const MachineSpec& machine) override;

  const Timing timing_;
  const Surroundings surroundings_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<GoogleApi> accounts_;
};

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_GOOGLE_DRIVER_H_
