// Machines that are Rackspace Cloud Servers, its legacy cloud.
#ifndef DRIVERS_RACKSPACE_RACKSPACE_DRIVER_H_
#define DRIVERS_RACKSPACE_RACKSPACE_DRIVER_H_

#include "drivers/rackspace/settings.h"
#include "drivers/sdk/openstack/server_driver.h"

namespace machine::driver::rackspace {

/// Signs in by Identity v2.0 with an API key. `http` outlives what it returns.
/// https://docs.rackspace.com/reference/annotated-authentication-request-and-response
openstack::SignIn SignInV2(common::HttpClient& http, Login login, const Backoff& retry);

class RackspaceDriver final : public openstack::ServerDriver {
 public:
  explicit RackspaceDriver(openstack::Timing timing = {}) : ServerDriver(timing) {}

  DriverInfo info() const override;
  Flags flags() const override;

 protected:
  absl::StatusOr<openstack::Account> ReadAccount(const Options& options) const override;
  absl::StatusOr<openstack::Plan> ReadPlan(const Options& options) const override;
  absl::Status CheckValues(DriverCall& call, const Options& options) const override;
};

}  // namespace machine::driver::rackspace

#endif  // DRIVERS_RACKSPACE_RACKSPACE_DRIVER_H_
