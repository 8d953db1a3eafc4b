#include "services/common/ssh/ssh.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/ssh/connection.h"
#include "services/common/ssh/connector.h"
#include "services/common/ssh/link.h"
#include "services/common/ssh/reactor.h"
#include "services/common/ssh/tcp_dialer.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr int kMaxPort = 65535;

absl::StatusOr<ConnectSpec> ReadTarget(const SshTarget& target) {
  if (target.host.empty()) return InvalidField("host", "the SSH host is missing");
  if (target.user.empty()) return InvalidField("user", "the SSH user is missing");
  if (target.port < 1 || target.port > kMaxPort) {
    return InvalidField("port", absl::StrCat("the SSH port ", target.port, " is not one"));
  }
  ConnectSpec spec;
  if (!target.private_key.empty()) {
    DM_ASSIGN_OR_RETURN(spec.key, ParsePrivateKey(target.private_key, target.key_label));
  } else if (target.agent_socket.empty()) {
    return InvalidField("private_key", absl::StrCat("neither an SSH key nor an agent is given for ",
                                                    target.user, " on ", target.host));
  }
  spec.host = target.host;
  spec.port = target.port;
  spec.user = target.user;
  spec.key_label = target.key_label;
  spec.agent_socket = target.agent_socket;
  spec.pinned_host_key_sha256 =
      std::string(absl::StripSuffix(absl::StripPrefix(target.host_key_sha256, "SHA256:"), "="));
  return spec;
}

// Between the thread that waits for a connection and the loop that makes it.
struct PendingConnect {
  absl::Mutex mu;
  std::optional<absl::StatusOr<std::shared_ptr<SshConnection>>> result ABSL_GUARDED_BY(mu);
  std::shared_ptr<Connector> connector;  // Of the loop's thread.

  bool done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return result.has_value(); }
};

// Makes the connection's owner on the loop's thread, so that it is closed even when nobody waits
// for it any more.
absl::StatusOr<std::shared_ptr<SshConnection>> Adopt(const std::shared_ptr<SshReactor>& reactor,
                                                     absl::StatusOr<AuthenticatedSession> session,
                                                     const std::string& name) {
  if (!session.ok()) return session.status();
  const auto link = std::make_shared<Link>(*reactor, *std::move(session), name);
  reactor->Add(link);
  return std::make_shared<LinkedConnection>(reactor, link);
}

absl::Duration SteadyDeadline(absl::Time deadline) {
  return SteadyNow() + (deadline - absl::Now());
}

}  // namespace

std::string ShellQuote(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

SshLoop::SshLoop(SshLoopOptions options) : reactor_(std::make_shared<SshReactor>(options)) {}

SshLoop::~SshLoop() { reactor_->Shutdown(); }

absl::StatusOr<std::shared_ptr<SshConnection>> SshLoop::Connect(const SshTarget& target,
                                                                const CallLimits& limits) {
  DM_ASSIGN_OR_RETURN(ConnectSpec spec, ReadTarget(target));
  DM_ASSIGN_OR_RETURN(std::vector<HostAddress> addresses,
                      ResolveHost(target.host, target.port, limits));
  const auto pending = std::make_shared<PendingConnect>();
  const auto finish = [pending, reactor = reactor_, name = HostAndPort(target.host, target.port)](
                          absl::StatusOr<AuthenticatedSession> session) {
    auto connection = Adopt(reactor, std::move(session), name);
    pending->connector.reset();
    absl::MutexLock lock(&pending->mu);
    pending->result = std::move(connection);
  };
  auto start = [pending, finish, reactor = reactor_, spec = std::move(spec),
                addresses = std::move(addresses),
                deadline = SteadyDeadline(limits.deadline)]() mutable {
    pending->connector = std::make_shared<Connector>(*reactor, std::move(spec),
                                                     std::move(addresses), deadline, finish);
    reactor->Add(pending->connector);
  };
  if (!reactor_->Post(std::move(start))) {
    return Unreachable("the SSH connections of this process have been closed");
  }
  // The deadline is the loop's to keep; only cancelling needs this thread's eyes.
  CallLimits cancel_only{absl::InfiniteFuture(), limits.cancelled};
  absl::MutexLock lock(&pending->mu);
  const absl::Condition done(pending.get(), &PendingConnect::done);
  while (!pending->mu.AwaitWithTimeout(done, WaitSlice(cancel_only))) {
    absl::Status status = CheckLimits(cancel_only, "connecting");
    if (status.ok()) continue;
    reactor_->Post([pending, status] {
      if (pending->connector != nullptr) pending->connector->Stop(status);
    });
    return status;
  }
  return *std::move(pending->result);
}

int64_t SshLoop::connections_opened() const { return reactor_->connections_opened; }

int64_t SshLoop::connections_open() const { return reactor_->connections_open; }

}  // namespace machine::common
