// One ssh connection for each machine, kept between calls.
#ifndef SERVICES_PROVISIONER_SERVICE_CONNECTION_POOL_H_
#define SERVICES_PROVISIONER_SERVICE_CONNECTION_POOL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/rpc/executor.h"
#include "services/common/ssh/ssh.h"

namespace machine::provisioner {

/// Makes a connection, for example SshLoop::Connect() or WaitForSsh(). Blocks.
using Connector =
    std::function<absl::StatusOr<std::shared_ptr<common::SshConnection>>(common::SshTarget)>;

/// A connection for the length of a call. It does not count as idle while this lives.
class PooledConnection {
 public:
  PooledConnection(std::shared_ptr<common::SshConnection> connection, bool opened,
                   std::shared_ptr<void> use)
      : connection_(std::move(connection)), opened_(opened), use_(std::move(use)) {}

  const std::shared_ptr<common::SshConnection>& get() const { return connection_; }
  /// It was made for this call.
  bool opened() const { return opened_; }

 private:
  std::shared_ptr<common::SshConnection> connection_;
  bool opened_;
  std::shared_ptr<void> use_;
};

/// Thread-safe. Connections are dropped when lost, when idle, and when the target, its key or its
/// fencing token changes; calls that still use one go on with it.
class ConnectionPool {
 public:
  struct Options {
    absl::Duration idle_limit = absl::Minutes(5);
    absl::Duration sweep_interval = absl::Seconds(30);
  };

  /// All must outlive the pool.
  ConnectionPool(common::Executor& executor, common::Metrics& metrics, Options options,
                 const common::Clock& clock);
  ~ConnectionPool();

  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// The machine's connection; made by `connect` where there is none. Of several calls for one
  /// machine one connects and the others wait for it. A target without machine_uid gets a
  /// connection of its own. ABORTED STALE_FENCING_TOKEN when a newer operation has been here; 0 is
  /// never stale, and takes the connection that is there. Errors of `connect` are passed on.
  /// Blocks.
  absl::StatusOr<PooledConnection> Acquire(common::CallScope& call,
                                           const ::provisioner::v1::SshTarget& target,
                                           const Connector& connect);

  /// Forgets the machine's connection if it is this one: it has turned out to be of no use.
  void Discard(const ::provisioner::v1::SshTarget& target,
               const std::shared_ptr<common::SshConnection>& connection);

 private:
  struct Entry {
    std::string identity;  // What must stay the same for the connection to be used.
    int64_t fencing_token = 0;
    bool connecting = false;
    std::shared_ptr<common::SshConnection> connection;
    int users = 0;
    absl::Duration last_used = absl::ZeroDuration();
  };
  struct State;

  // Ends the use of a connection that was counted, when the caller lets go of the result.
  static std::shared_ptr<void> Use(const std::shared_ptr<State>& state, const std::string& uid,
                                   std::shared_ptr<common::SshConnection> connection);
  static void Sweep(const std::shared_ptr<State>& state);
  static void ScheduleSweep(const std::shared_ptr<State>& state);

  // Shared with uses and timers, which may end after the pool.
  const std::shared_ptr<State> state_;
};

/// The target as the ssh layer has it. INVALID_ARGUMENT naming the field that is missing or wrong.
absl::StatusOr<common::SshTarget> ToSshTarget(const ::provisioner::v1::SshTarget& target);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_CONNECTION_POOL_H_
