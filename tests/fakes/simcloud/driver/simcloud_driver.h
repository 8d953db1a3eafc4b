// A driver of simcloud, as a real one of a cloud: a key, a rule, a disk, an address, an instance.
#ifndef TESTS_FAKES_SIMCLOUD_DRIVER_SIMCLOUD_DRIVER_H_
#define TESTS_FAKES_SIMCLOUD_DRIVER_SIMCLOUD_DRIVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/driver.h"
#include "services/common/http/http_client.h"
#include "tests/fakes/simcloud/driver/simcloud_api.h"

namespace machine::driver::simcloud {

/// Its machines have no ssh: nothing is provisioned.
class SimCloudDriver final : public Driver {
 public:
  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Init(const DriverEnvironment& environment) override;
  absl::Status Validate(Options& options) const override;
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

 private:
  absl::StatusOr<std::shared_ptr<SimCloudApi>> AccountOf(const Options& options);
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine, bool on);

  std::unique_ptr<common::HttpClient> http_;
  Accounts<SimCloudApi> accounts_;
};

}  // namespace machine::driver::simcloud

#endif  // TESTS_FAKES_SIMCLOUD_DRIVER_SIMCLOUD_DRIVER_H_
