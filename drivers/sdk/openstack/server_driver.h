// A driver of machines that are servers of an OpenStack cloud; the derived class says how to sign
// in, and what its flags mean.
#ifndef DRIVERS_SDK_OPENSTACK_SERVER_DRIVER_H_
#define DRIVERS_SDK_OPENSTACK_SERVER_DRIVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/openstack/cloud_client.h"
#include "drivers/sdk/openstack/machine_server.h"
#include "drivers/sdk/openstack/plan.h"
#include "services/common/http/http_client.h"

namespace machine::driver::openstack {

/// Who asks, and where.
struct Account {
  Access access;
  /// Makes what signs in; called once for each account. The client outlives what it makes.
  std::function<SignIn(common::HttpClient&)> sign_in;
  /// All that tells one account from another, secrets included.
  std::string identity;
};

class ServerDriver : public Driver {
 public:
  explicit ServerDriver(Timing timing) : timing_(timing) {}

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

 protected:
  /// Errors of both: BadOption().
  virtual absl::StatusOr<Account> ReadAccount(const Options& options) const = 0;
  virtual absl::StatusOr<Plan> ReadPlan(const Options& options) const = 0;
  /// Warns of what is old or open, and refuses what is gone, before the cloud is asked.
  virtual absl::Status CheckValues(DriverCall& call, const Options& options) const = 0;

  const Timing& timing() const { return timing_; }

 private:
  absl::StatusOr<std::shared_ptr<CloudClient>> CloudOf(const Options& options);
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine,
                                    MachineState wanted, absl::Duration limit);
  absl::StatusOr<std::vector<Observation>> InspectAll(
      DriverCall& call, const CloudClient& cloud, const std::vector<const MachineSpec*>& machines);

  const Timing timing_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<CloudClient> accounts_;
};

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_SERVER_DRIVER_H_
