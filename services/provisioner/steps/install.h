// Getting the engine's packages onto a host.
#ifndef SERVICES_PROVISIONER_STEPS_INSTALL_H_
#define SERVICES_PROVISIONER_STEPS_INSTALL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/detect/facts.h"
#include "services/provisioner/distro/distro.h"
#include "services/provisioner/host/remote_host.h"

namespace machine::provisioner {

/// An installation needs about this much; with less the package manager stops half-way.
inline constexpr int64_t kNeededDiskKib = 300 * 1024;

struct InstallOptions {
  /// Script to install with instead of the distribution's package; may be empty.
  std::string url;
  /// "NAME=value": the host's way to the outside.
  std::vector<std::string> proxies;
};

/// Installs the engine. Waits for cloud-init and other package managers first. One command; `facts`
/// tell afterwards what the host has become. The engine of a package is not started yet.
absl::Status InstallEngine(common::CallScope& call, RemoteHost& host, const Distro& distro,
                           const InstallOptions& options, Facts& facts);

/// Upgrades the package that the engine came from. One command. True when there was a newer one.
absl::StatusOr<bool> UpgradeEngine(common::CallScope& call, RemoteHost& host, const Distro& distro,
                                   const InstallOptions& options, Facts& facts);

/// OK when the login user can become root; else FAILED_PRECONDITION HOST_COMMAND_FAILED.
absl::Status CheckRootAccess(const Facts& facts);

/// How scripts become root on this host.
RunAs AsRoot(const Facts& facts);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_INSTALL_H_
