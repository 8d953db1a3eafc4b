// Machines that are servers of an OpenStack cloud.
#ifndef DRIVERS_OPENSTACK_OPENSTACK_DRIVER_H_
#define DRIVERS_OPENSTACK_OPENSTACK_DRIVER_H_

#include "drivers/sdk/openstack/server_driver.h"

namespace machine::driver::openstack {

class OpenStackDriver final : public ServerDriver {
 public:
  explicit OpenStackDriver(Timing timing = {}) : ServerDriver(timing) {}

  DriverInfo info() const override;
  Flags flags() const override;

 protected:
  absl::StatusOr<Account> ReadAccount(const Options& options) const override;
  absl::StatusOr<Plan> ReadPlan(const Options& options) const override;
  absl::Status CheckValues(DriverCall& call, const Options& options) const override;
};

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_OPENSTACK_DRIVER_H_
