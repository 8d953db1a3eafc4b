#include "services/provisioner/steps/install.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/status.h"
#include "services/provisioner/distro/packages/packages.h"
#include "services/provisioner/host/shell_text.h"
#include "services/provisioner/steps/host_script.h"

namespace machine::provisioner {
namespace {

using ::machine::common::Error;

absl::Status CheckDiskSpace(const Facts& facts) {
  for (const DiskFacts& disk : facts.disks) {
    if (disk.free_kib >= kNeededDiskKib) continue;
    return Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
        absl::StrCat("not enough space on the host to install the engine: ", disk.free_kib / 1024,
                     " MiB are free on ", disk.mount, ", ", kNeededDiskKib / 1024,
                     " MiB are needed (No space left on device)"),
        {{"step", "install"},
         {"mount", disk.mount},
         {"free_mib", absl::StrCat(disk.free_kib / 1024)}});
  }
  return absl::OkStatus();
}

absl::StatusOr<ScriptOutcome> RunPackagesScript(common::CallScope& call, RemoteHost& host,
                                                const Distro& distro, absl::string_view action,
                                                const InstallOptions& options, Facts& facts) {
  const std::string text = absl::StrCat(
      ShellVariable("action", action), ShellVariable("engine_packages", distro.engine_packages),
      ShellVariable("extra_packages", distro.extra_packages),
      ShellVariable("source_url", distro.source_url), ShellVariable("install_url", options.url),
      ShellVariable("proxies", absl::StrJoin(options.proxies, "\n")),
      ShellVariable("dockerd", facts.dockerd_path), distro.package_manager, PackagesScript(),
      FactsScript());
  DM_ASSIGN_OR_RETURN(
      ScriptOutcome outcome,
      RunHostScript(call, host, AsRoot(facts), action == "upgrade" ? "upgrade" : "install", text));
  DM_RETURN_IF_ERROR(ParseFacts(outcome.output, facts));
  return outcome;
}

}  // namespace

absl::Status InstallEngine(common::CallScope& call, RemoteHost& host, const Distro& distro,
                           const InstallOptions& options, Facts& facts) {
  DM_RETURN_IF_ERROR(CheckDiskSpace(facts));
  const auto outcome = RunPackagesScript(
      call, host, distro, options.url.empty() ? "install" : "script", options, facts);
  if (!outcome.ok()) return outcome.status();
  if (!facts.engine_installed()) {
    return Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
        "the installation reported success, but the host has no dockerd", {{"step", "install"}});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> UpgradeEngine(common::CallScope& call, RemoteHost& host, const Distro& distro,
                                   const InstallOptions& options, Facts& facts) {
  DM_RETURN_IF_ERROR(CheckDiskSpace(facts));
  DM_ASSIGN_OR_RETURN(const ScriptOutcome outcome,
                      RunPackagesScript(call, host, distro, "upgrade", options, facts));
  return outcome.changed;
}

absl::Status CheckRootAccess(const Facts& facts) {
  if (facts.access != RootAccess::kNone) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
      absl::StrCat("user \"", facts.user, "\" cannot become root on the host (", facts.access_error,
                   "); log in as root, or allow this user sudo without a password"),
      {{"step", "privileges"}, {"user", facts.user}});
}

RunAs AsRoot(const Facts& facts) {
  return facts.access == RootAccess::kSudo ? RunAs::kSudo : RunAs::kLogin;
}

}  // namespace machine::provisioner
