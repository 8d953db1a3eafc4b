// The flags of the driver, and what they ask for.
#ifndef DRIVERS_RACKSPACE_SETTINGS_H_
#define DRIVERS_RACKSPACE_SETTINGS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/openstack/plan.h"

namespace machine::driver::rackspace {

inline constexpr absl::string_view kFlagPrefix = "rackspace";

/// Who one is, and where.
struct Login {
  /// Of Identity, with its version; no slash at its end.
  std::string endpoint;
  std::string username;
  /// Secret.
  std::string api_key;
  std::string region;
  /// "public", "internal" or "admin".
  std::string interface;
};

Flags RackspaceFlags();

/// Errors: BadOption().
absl::StatusOr<Login> ReadLogin(const Options& options);
absl::StatusOr<openstack::Plan> ReadSettings(const Options& options);

/// Says that all this is old. Errors: PreCreateCheckFailed() for what is gone.
absl::Status CheckOldValues(DriverCall& call, const Options& options);

}  // namespace machine::driver::rackspace

#endif  // DRIVERS_RACKSPACE_SETTINGS_H_
