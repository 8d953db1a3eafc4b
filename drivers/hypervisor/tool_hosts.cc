#include "drivers/hypervisor/tool_hosts.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/hypervisor/local_tool_host.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {

Flags& AddHostFlags(Flags& flags, const FlagPrefix& prefix, absl::string_view hypervisor) {
  prefix.AddString(flags, "host")
      .Usage(absl::StrCat("Host with ", hypervisor,
                          ", as ssh://USER@HOST[:PORT] (default: the host of the driver)"))
      .Env(absl::StrCat(prefix.environment, "_HOST"));
  prefix.AddString(flags, "host-key")
      .Usage("File with the private ssh key to log in there (default: the ssh agent)")
      .Env(absl::StrCat(prefix.environment, "_HOST_KEY"))
      .ContentTo(prefix.Flag("host-key-text"));
  prefix.AddString(flags, "host-key-text")
      .Usage("Text of such a file")
      .Env(absl::StrCat(prefix.environment, "_HOST_KEY_TEXT"))
      .Secret();
  return prefix.AddString(flags, "host-fingerprint")
      .Usage("SHA256:… of that host's key (default: the first one seen)")
      .Env(absl::StrCat(prefix.environment, "_HOST_FINGERPRINT"));
}

absl::StatusOr<HostAccess> ReadHostAccess(const Options& options, const FlagPrefix& prefix) {
  HostAccess access = {.url = options.GetString(prefix.Flag("host")),
                       .private_key = options.GetSecret(prefix.Flag("host-key-text")),
                       .host_key_sha256 = options.GetString(prefix.Flag("host-fingerprint"))};
  if (access.url.empty()) {
    if (!access.private_key.empty() || !access.host_key_sha256.empty()) {
      return BadOption(prefix.Flag("host-key"),
                       absl::StrCat("is for a host that --", prefix.Flag("host"), " names"));
    }
    return access;
  }
  const absl::StatusOr<common::SshTarget> target = ParseSshUrl(access.url);
  if (!target.ok()) return BadOption(prefix.Flag("host"), target.status().message());
  return access;
}

ToolHosts::~ToolHosts() {
  absl::MutexLock lock(&mu_);
  hosts_.clear();
}

ToolHost& ToolHosts::Get(const HostAccess& access, const std::string& agent_socket) {
  absl::MutexLock lock(&mu_);
  const std::string id = absl::StrCat(access.url, "\n", access.host_key_sha256, "\n", agent_socket,
                                      "\n", common::Sha256Hex(access.private_key));
  std::unique_ptr<ToolHost>& host = hosts_[access.local() ? "" : id];
  if (host != nullptr) return *host;
  if (access.local()) {
    host = std::make_unique<LocalToolHost>();
    return *host;
  }
  if (loop_ == nullptr) loop_ = std::make_unique<common::SshLoop>();
  common::SshTarget target = ParseSshUrl(access.url).value_or(common::SshTarget());
  target.private_key = access.private_key;
  target.agent_socket = agent_socket;
  target.host_key_sha256 = access.host_key_sha256;
  host = std::make_unique<SshToolHost>(*loop_, std::move(target), shell_);
  return *host;
}

absl::StatusOr<std::string> FolderOn(ToolHost& host, common::CallScope& call,
                                     const HostAccess& access, absl::string_view name,
                                     const std::string& data_dir) {
  if (access.local()) {
    if (data_dir.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the ", name, " driver has no folder for disks: start it with --data-dir"));
    }
    DM_RETURN_IF_ERROR(common::EnsurePrivateDir(data_dir));
    return data_dir;
  }
  DM_ASSIGN_OR_RETURN(const std::string home,
                      RunTool(host, call, {"sh", "-c", "printf %s \"$HOME\""}));
  if (absl::StartsWith(home, "/")) return absl::StrCat(home, "/.docker-machine/", name);
  return absl::FailedPreconditionError(
      absl::StrCat("the user of ", host.name(), " has no home folder: \"", home, "\""));
}

}  // namespace machine::driver::hypervisor
