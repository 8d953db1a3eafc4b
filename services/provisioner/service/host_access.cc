#include "services/provisioner/service/host_access.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::machine::common::CallScope;
using ::provisioner::v1::HostInfo;
using ::provisioner::v1::SshTarget;

// A booting image may get its keys after its sshd; longer than this nobody waits for a wrong key.
constexpr absl::Duration kKeyRefusedGrace = absl::Seconds(5);
// How long a kept connection may take to show that its host still answers.
constexpr absl::Duration kProofTimeout = absl::Seconds(10);

bool IsLost(const absl::Status& status) {
  return absl::IsUnavailable(status) &&
         common::ReasonOf(status) == machine::v1::ERROR_REASON_SSH_UNREACHABLE;
}

}  // namespace

absl::StatusOr<HostInfo> HostAccess::WithHost(CallScope& call, const SshTarget& target,
                                              const Work& work) {
  while (true) {
    DM_ASSIGN_OR_RETURN(const PooledConnection connection, Connect(call, target));
    SshHost host(connection.get(), target.user());
    absl::StatusOr<HostInfo> info = work(host);
    metrics_.Count("provisioner_commands_total", {}, host.commands_run());
    if (!info.ok() && IsLost(info.status())) {
      Discard(target, connection);
      // What was opened for this call is never replaced, so this ends.
      if (!connection.opened() && host.commands_run() <= 1) continue;
    }
    if (info.ok()) info->set_connections_opened(connection.opened() ? 1 : 0);
    return info;
  }
}

absl::StatusOr<HostInfo> HostAccess::Wait(CallScope& call, const SshTarget& target,
                                          absl::Duration timeout) {
  const absl::Time deadline = std::min(call.deadline(), absl::Now() + timeout);
  const auto wait = [this, &call, deadline](const common::SshTarget& ssh_target) {
    common::WaitForSshOptions options;
    options.limits = LimitsOf(call);
    options.limits.deadline = deadline;
    options.key_refused_grace = kKeyRefusedGrace;
    std::string said;
    options.on_attempt = [&call, said](const absl::Status& status) mutable {
      if (status.message() == said) return;
      said = std::string(status.message());
      call.Debug(said);
    };
    return dialer_.Wait(ssh_target, options);
  };
  while (true) {
    DM_ASSIGN_OR_RETURN(const PooledConnection connection, pool_.Acquire(call, target, wait));
    HostInfo info;
    info.set_host_key_sha256(connection.get()->host_key_sha256());
    if (connection.opened()) {
      info.set_connections_opened(1);
      return info;
    }
    // The host may have been restarted since, and nobody told us.
    common::CommandOptions options;
    options.limits = LimitsOf(call);
    options.limits.deadline = std::min(call.deadline(), absl::Now() + kProofTimeout);
    metrics_.Count("provisioner_commands_total", {});
    if (connection.get()->Run(":", options).ok()) {
      info.set_commands_run(1);
      return info;
    }
    DM_RETURN_IF_ERROR(call.Check());
    Discard(target, connection);
  }
}

absl::StatusOr<PooledConnection> HostAccess::Connect(CallScope& call, const SshTarget& target) {
  return pool_.Acquire(call, target, [this, &call](const common::SshTarget& ssh_target) {
    return dialer_.Connect(ssh_target, LimitsOf(call));
  });
}

}  // namespace machine::provisioner
