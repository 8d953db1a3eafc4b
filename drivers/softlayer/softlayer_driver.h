// Machines that are instances of the provider.
#ifndef DRIVERS_SOFTLAYER_SOFTLAYER_DRIVER_H_
#define DRIVERS_SOFTLAYER_SOFTLAYER_DRIVER_H_

#include <memory>
#include <optional>
#include <vector>

#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/driver.h"
#include "drivers/softlayer/machine_instance.h"
#include "drivers/softlayer/softlayer_api.h"
#include "services/common/http/http_client.h"

namespace machine::driver::softlayer {

class SoftLayerDriver final : public Driver {
 public:
  explicit SoftLayerDriver(Timing timing = {}) : timing_(timing) {}

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
  absl::StatusOr<std::shared_ptr<SoftLayerApi>> AccountOf(const Options& options);
  /// See BringTo().
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine,
                                    MachineState wanted, absl::string_view verb,
                                    absl::Duration limit);

  const Timing timing_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<SoftLayerApi> accounts_;
};

}  // namespace machine::driver::softlayer

#endif  // DRIVERS_SOFTLAYER_SOFTLAYER_DRIVER_H_
