// From a request's target to a host that runs scripts, or to a connection.
#ifndef SERVICES_PROVISIONER_SERVICE_HOST_ACCESS_H_
#define SERVICES_PROVISIONER_SERVICE_HOST_ACCESS_H_

#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/host/remote_host.h"
#include "services/provisioner/service/connection_pool.h"
#include "services/provisioner/service/ssh_dialer.h"

namespace machine::provisioner {

/// Thread-safe. All methods block.
class HostAccess {
 public:
  /// All must outlive it.
  HostAccess(SshDialer& dialer, ConnectionPool& pool, common::Metrics& metrics)
      : dialer_(dialer), pool_(pool), metrics_(metrics) {}

  using Work = std::function<absl::StatusOr<::provisioner::v1::HostInfo>(RemoteHost& host)>;

  /// Runs `work` on the machine's connection, and adds to its result how many were opened. A kept
  /// connection that turns out to be lost with the first command is replaced by a new one, once;
  /// `work` must change nothing with its first command.
  absl::StatusOr<::provisioner::v1::HostInfo> WithHost(common::CallScope& call,
                                                       const ::provisioner::v1::SshTarget& target,
                                                       const Work& work);

  /// Waits until the host takes a connection, at most `timeout`. A kept one must prove that it
  /// works.
  absl::StatusOr<::provisioner::v1::HostInfo> Wait(common::CallScope& call,
                                                   const ::provisioner::v1::SshTarget& target,
                                                   absl::Duration timeout);

  /// The machine's connection; one try.
  absl::StatusOr<PooledConnection> Connect(common::CallScope& call,
                                           const ::provisioner::v1::SshTarget& target);

  /// See ConnectionPool::Discard().
  void Discard(const ::provisioner::v1::SshTarget& target, const PooledConnection& connection) {
    pool_.Discard(target, connection.get());
  }

 private:
  SshDialer& dialer_;
  ConnectionPool& pool_;
  common::Metrics& metrics_;
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_HOST_ACCESS_H_
