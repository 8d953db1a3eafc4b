// Machines that are instances of the provider.
#ifndef DRIVERS_TEMPLATE_TEMPLATE_DRIVER_H_
#define DRIVERS_TEMPLATE_TEMPLATE_DRIVER_H_

#include <memory>
#include <optional>
#include <vector>

#include "drivers/sdk/cloud/accounts.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/driver.h"
#include "drivers/template/machine_instance.h"
#include "drivers/template/template_api.h"
#include "services/common/http/http_client.h"

namespace machine::driver::template_cloud {

class TemplateDriver final : public InstanceDriver<TemplateApi, Instance> {
 public:
  explicit TemplateDriver(Timing timing = {})
      : InstanceDriver({.provider = "The provider"}, timing.poll, timing.grace), timing_(timing) {}

  DriverInfo info() const override;
  Flags flags() const override;
  absl::Status Init(const DriverEnvironment& environment) override;
  absl::Status Validate(Options& options) const override;
  absl::Status PreCreateCheck(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) override;
  absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options) override;

 private:
  absl::StatusOr<std::shared_ptr<TemplateApi>> AccountOf(const Options& options) override;
  absl::StatusOr<std::optional<Instance>> Find(DriverCall& call, const TemplateApi& api,
                                               const MachineSpec& machine) override;
  MachineState StateIn(const Instance& instance) const override;
  absl::StatusOr<PendingAction> Act(DriverCall& call, const TemplateApi& api,
                                    const Instance& instance, absl::string_view action,
                                    int times) override;
  absl::StatusOr<Observation> Observe(DriverCall& call, const TemplateApi& api,
                                      const MachineSpec& machine,
                                      const Instance& instance) override;
  absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const TemplateApi& api,
                                                      const AccountMachines& machines) override;
  absl::Status RemoveAllOf(DriverCall& call, const TemplateApi& api,
                           const MachineSpec& machine) override;

  const Timing timing_;
  std::unique_ptr<common::HttpClient> http_;
  Accounts<TemplateApi> accounts_;
};

}  // namespace machine::driver::template_cloud

#endif  // DRIVERS_TEMPLATE_TEMPLATE_DRIVER_H_
