// The flags of the driver, and what they ask for.
#ifndef DRIVERS_OPENSTACK_SETTINGS_H_
#define DRIVERS_OPENSTACK_SETTINGS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/openstack/identity.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/openstack/plan.h"

namespace machine::driver::openstack {

inline constexpr absl::string_view kFlagPrefix = "openstack";

/// Who one is, and where in the cloud.
struct Login {
  Credentials credentials;
  /// Empty for the only one.
  std::string region;
  /// "public", "internal" or "admin".
  std::string interface;
};

Flags OpenStackFlags();

/// Reads options, and clouds.yaml where --openstack-cloud names a cloud in it. Errors: BadOption().
absl::StatusOr<Login> ReadLogin(const Options& options);
absl::StatusOr<Plan> ReadSettings(const Options& options);

/// Warns of what is old, open or unencrypted. Errors: PreCreateCheckFailed() for what is gone.
absl::Status CheckOldValues(DriverCall& call, const Options& options);

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_SETTINGS_H_
