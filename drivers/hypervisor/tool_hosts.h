// Which host's tools a machine is driven with: this one's, or those of another by --X-host.
#ifndef DRIVERS_HYPERVISOR_TOOL_HOSTS_H_
#define DRIVERS_HYPERVISOR_TOOL_HOSTS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "drivers/hypervisor/guest_options.h"
#include "drivers/hypervisor/ssh_tool_host.h"
#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::hypervisor {

/// How the hypervisor's host is reached.
struct HostAccess {
  /// "ssh://USER@HOST[:PORT]"; empty for the host that the driver runs on.
  std::string url;
  /// To log in there. Secret.
  std::string private_key;
  /// SHA-256 of its host key, as ssh-keygen -lf prints it; empty trusts the first contact.
  std::string host_key_sha256;

  bool local() const { return url.empty(); }
};

/// --X-host, --X-host-key, --X-host-key-text, --X-host-fingerprint. `hypervisor` is its name for
/// people.
Flags& AddHostFlags(Flags& flags, const FlagPrefix& prefix, absl::string_view hypervisor);

/// The values of AddHostFlags(). Errors: BadOption().
absl::StatusOr<HostAccess> ReadHostAccess(const Options& options, const FlagPrefix& prefix);

/// Hosts that were asked for so far, each with one connection for all machines. Thread-safe.
class ToolHosts {
 public:
  /// `shell` is what other hosts have.
  explicit ToolHosts(RemoteShell shell) : shell_(shell) {}
  ~ToolHosts();

  /// The host; it lives as long as this. `agent_socket` is an ssh agent to log in with, or empty.
  ToolHost& Get(const HostAccess& access, const std::string& agent_socket);

 private:
  const RemoteShell shell_;
  absl::Mutex mu_;
  // Before the hosts, whose connections it serves. Made at the first need, as it starts a thread.
  std::unique_ptr<common::SshLoop> loop_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::unique_ptr<ToolHost>> hosts_ ABSL_GUARDED_BY(mu_);
};

/// The folder of driver `name` on the host that `access` leads to, which has a POSIX shell: here
/// `data_dir`, which is made; elsewhere one below the login user's home, which need not exist.
/// Errors: FAILED_PRECONDITION when there is none.
absl::StatusOr<std::string> FolderOn(ToolHost& host, common::CallScope& call,
                                     const HostAccess& access, absl::string_view name,
                                     const std::string& data_dir);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_TOOL_HOSTS_H_
