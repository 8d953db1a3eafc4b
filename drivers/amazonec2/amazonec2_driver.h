// Machines that are instances of Amazon EC2.
#ifndef DRIVERS_AMAZONEC2_AMAZONEC2_DRIVER_H_
#define DRIVERS_AMAZONEC2_AMAZONEC2_DRIVER_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "drivers/amazonec2/ec2_api.h"
#include "drivers/amazonec2/machine_instance.h"
#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/driver.h"
#include "services/common/http/http_client.h"

namespace machine::driver::amazonec2 {

class AmazonEc2Driver final : public Driver {
 public:
  explicit AmazonEc2Driver(Timing timing = {}, Environment environment = ProcessEnvironment)
      : timing_(timing), environment_(std::move(environment)) {}

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
  std::shared_ptr<Ec2Api> AccountOf(const AccountSettings& settings);
  absl::StatusOr<std::shared_ptr<Ec2Api>> AccountOf(const Options& options);
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine, Power power,
                                    absl::Duration grace);

  const Timing timing_;
  const Environment environment_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<Ec2Api> accounts_;
};

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_AMAZONEC2_DRIVER_H_
