// What differs between the operating systems of hosts.
#ifndef SERVICES_PROVISIONER_DISTRO_DISTRO_H_
#define SERVICES_PROVISIONER_DISTRO_DISTRO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/provisioner/detect/facts.h"

namespace machine::provisioner {

/// One operating system: an entry of the table in distro.cc.
struct Distro {
  /// In "Provisioning with …".
  absl::string_view name;
  /// As in os-release.
  absl::string_view os_id;
  /// The distribution's own package of the engine.
  absl::string_view engine_package;
  /// Packages without which the engine is of less use; installed where the distribution has them.
  absl::string_view extra_packages;
  /// Shell script that installs and upgrades; see apt.sh for what it is given and what it prints.
  absl::string_view packages_script;
};

/// All that are supported.
const std::vector<Distro>& Distros();

/// The entry for a host. FAILED_PRECONDITION UNSUPPORTED_HOST, with os_id in the metadata, for an
/// operating system without one, and for a host that was not started by systemd.
absl::StatusOr<Distro> FindDistro(const Facts& facts);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_DISTRO_H_
