#include "services/provisioner/service/connection_pool.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::machine::common::Error;
using ::machine::common::InvalidField;
using ::machine::common::SshConnection;
using ::provisioner::v1::SshTarget;

constexpr absl::Duration kCancelCheck = absl::Milliseconds(50);

// A digest, since it covers the private key. The host key is not part of it: the pinned one arrives
// only with the calls after the first.
std::string Identity(const SshTarget& target) {
  return common::Sha256(absl::StrCat(target.host(), "\n", target.port(), "\n", target.user(), "\n",
                                     target.agent_socket(), "\n", target.private_key()));
}

bool SameHostKey(const SshTarget& target, const SshConnection& connection) {
  return target.host_key_sha256().empty() ||
         target.host_key_sha256() == connection.host_key_sha256();
}

}  // namespace

struct ConnectionPool::State {
  State(common::Executor& executor, common::Metrics& metrics, Options options,
        const common::Clock& clock)
      : executor(executor), metrics(metrics), options(options), clock(clock) {}

  common::Executor& executor;
  common::Metrics& metrics;
  const Options options;
  const common::Clock& clock;
  absl::Mutex mu;
  std::map<std::string, Entry> entries ABSL_GUARDED_BY(mu);
  bool sweep_scheduled ABSL_GUARDED_BY(mu) = false;
  bool closed ABSL_GUARDED_BY(mu) = false;
};

ConnectionPool::ConnectionPool(common::Executor& executor, common::Metrics& metrics,
                               Options options, const common::Clock& clock)
    : state_(std::make_shared<State>(executor, metrics, options, clock)) {}

ConnectionPool::~ConnectionPool() {
  std::map<std::string, Entry> dropped;  // Connections close outside the lock.
  absl::MutexLock lock(&state_->mu);
  state_->closed = true;
  dropped.swap(state_->entries);
}

std::shared_ptr<void> ConnectionPool::Use(const std::shared_ptr<State>& state,
                                          const std::string& uid,
                                          std::shared_ptr<SshConnection> connection) {
  const auto end = [state, uid, connection = std::move(connection)](void*) {
    absl::MutexLock lock(&state->mu);
    const auto it = state->entries.find(uid);
    if (it == state->entries.end() || it->second.connection != connection) return;
    --it->second.users;
    it->second.last_used = state->clock.Steady();
  };
  return std::shared_ptr<void>(nullptr, end);
}

absl::StatusOr<PooledConnection> ConnectionPool::Acquire(common::CallScope& call,
                                                         const SshTarget& target,
                                                         const Connector& connect) {
  DM_ASSIGN_OR_RETURN(common::SshTarget ssh_target, ToSshTarget(target));
  if (target.machine_uid().empty()) {
    DM_ASSIGN_OR_RETURN(auto connection, connect(std::move(ssh_target)));
    state_->metrics.Count("provisioner_ssh_connections_opened_total", {});
    return PooledConnection(std::move(connection), /*opened=*/true, nullptr);
  }
  const std::string& uid = target.machine_uid();
  const std::string identity = Identity(target);
  std::shared_ptr<SshConnection> dropped;  // Closes outside the lock.
  {
    absl::MutexLock lock(&state_->mu);
    const int64_t token = target.fencing_token();
    // Looked up anew each time: while nobody connects, a sweep may remove the entry.
    const auto is_free = [this, &uid]() ABSL_SHARED_LOCKS_REQUIRED(state_->mu) {
      const auto it = state_->entries.find(uid);
      return it == state_->entries.end() || !it->second.connecting;
    };
    while (!state_->mu.AwaitWithTimeout(absl::Condition(&is_free), kCancelCheck)) {
      DM_RETURN_IF_ERROR(call.Check());
    }
    Entry* entry = &state_->entries[uid];
    if (token != 0 && token < entry->fencing_token) {
      return Error(absl::StatusCode::kAborted, machine::v1::ERROR_REASON_STALE_FENCING_TOKEN,
                   "a newer operation on the machine has begun", {{"machine_uid", uid}});
    }
    const bool usable = entry->connection != nullptr && entry->connection->alive() &&
                        entry->identity == identity && SameHostKey(target, *entry->connection) &&
                        (token == 0 || token == entry->fencing_token);
    entry->fencing_token = std::max(entry->fencing_token, token);
    if (usable) {
      ++entry->users;
      return PooledConnection(entry->connection, /*opened=*/false,
                              Use(state_, uid, entry->connection));
    }
    dropped = std::move(entry->connection);
    entry->connection = nullptr;
    entry->users = 0;
    entry->identity = identity;
    entry->connecting = true;
  }
  dropped.reset();
  absl::StatusOr<std::shared_ptr<SshConnection>> connection = connect(std::move(ssh_target));
  const auto sweep_later = absl::MakeCleanup([this] { ScheduleSweep(state_); });
  {
    absl::MutexLock lock(&state_->mu);
    // The entry stays while `connecting` is set: sweeps leave it alone.
    Entry& entry = state_->entries[uid];
    entry.connecting = false;
    if (!connection.ok()) return connection.status();
    entry.connection = *connection;
    entry.users = 1;
  }
  state_->metrics.Count("provisioner_ssh_connections_opened_total", {});
  return PooledConnection(*connection, /*opened=*/true, Use(state_, uid, *connection));
}

void ConnectionPool::Discard(const SshTarget& target,
                             const std::shared_ptr<SshConnection>& connection) {
  std::shared_ptr<SshConnection> dropped;
  absl::MutexLock lock(&state_->mu);
  const auto it = state_->entries.find(target.machine_uid());
  if (it == state_->entries.end() || it->second.connection != connection) return;
  dropped = std::move(it->second.connection);
  it->second.connection = nullptr;
}

void ConnectionPool::ScheduleSweep(const std::shared_ptr<State>& state) {
  {
    absl::MutexLock lock(&state->mu);
    if (state->sweep_scheduled || state->closed || state->entries.empty()) return;
    state->sweep_scheduled = true;
  }
  std::weak_ptr<State> weak = state;
  state->executor.RunAfter(state->options.sweep_interval, [weak] {
    if (const std::shared_ptr<State> state = weak.lock()) Sweep(state);
  });
}

void ConnectionPool::Sweep(const std::shared_ptr<State>& state) {
  std::vector<std::shared_ptr<SshConnection>> dropped;  // Connections close outside the lock.
  {
    absl::MutexLock lock(&state->mu);
    state->sweep_scheduled = false;
    if (state->closed) return;
    const absl::Duration now = state->clock.Steady();
    for (auto it = state->entries.begin(); it != state->entries.end();) {
      Entry& entry = it->second;
      const bool idle = entry.users == 0 && now - entry.last_used >= state->options.idle_limit;
      const bool lost = entry.connection != nullptr && !entry.connection->alive();
      if (!entry.connecting && (idle || lost)) {
        dropped.push_back(std::move(entry.connection));
        it = state->entries.erase(it);
      } else {
        ++it;
      }
    }
  }
  dropped.clear();
  ScheduleSweep(state);
}

absl::StatusOr<common::SshTarget> ToSshTarget(const SshTarget& target) {
  if (target.host().empty()) return InvalidField("target.host", "the ssh target has no host");
  if (target.user().empty()) return InvalidField("target.user", "the ssh target has no user");
  if (target.port() < 0 || target.port() > 65535) {
    return InvalidField("target.port", "the ssh port must be 0 to 65535");
  }
  if (target.private_key().empty() && target.agent_socket().empty()) {
    return InvalidField("target.private_key",
                        "the ssh target has neither a private key nor an agent");
  }
  common::SshTarget ssh;
  ssh.host = target.host();
  if (target.port() != 0) ssh.port = target.port();
  ssh.user = target.user();
  ssh.private_key = target.private_key();
  ssh.agent_socket = target.agent_socket();
  ssh.key_label = target.key_label();
  ssh.host_key_sha256 = target.host_key_sha256();
  return ssh;
}

}  // namespace machine::provisioner
