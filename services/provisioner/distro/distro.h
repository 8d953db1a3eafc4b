// What differs between the operating systems of hosts.
#ifndef SERVICES_PROVISIONER_DISTRO_DISTRO_H_
#define SERVICES_PROVISIONER_DISTRO_DISTRO_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/provisioner/detect/facts.h"

namespace machine::provisioner {

/// Who starts the engine of a host.
enum class Init {
  kSystemd,
  /// boot2docker's own script: a system in memory that comes with its engine.
  kBoot2docker,
};

/// One operating system: an entry of the table in distro.cc.
struct Distro {
  /// In "Provisioning with …".
  absl::string_view name;
  /// As in os-release.
  absl::string_view os_id;
  /// The engine's packages, best first, separated by blanks; the first that a source of the host
  /// has is installed.
  absl::string_view engine_packages;
  /// Packages without which the engine is of less use; installed where the distribution has them.
  absl::string_view extra_packages;
  /// What the package manager's add_source is given where no source has the engine; may be empty.
  absl::string_view source_url;
  /// The script of the package manager, one of packages/; empty where nothing can be installed.
  absl::string_view package_manager;
  Init init = Init::kSystemd;
};

/// All that are supported.
const std::vector<Distro>& Distros();

/// The entry for a host. FAILED_PRECONDITION UNSUPPORTED_HOST, with os_id in the metadata, for an
/// operating system without one, and for a host that was not started by systemd but should.
absl::StatusOr<Distro> FindDistro(const Facts& facts);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_DISTRO_DISTRO_H_
