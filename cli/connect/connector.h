// How a command reaches its orchestrator.
#ifndef CLI_CONNECT_CONNECTOR_H_
#define CLI_CONNECT_CONNECTOR_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/rpc/channel.h"

namespace machine::cli {

/// Makes connections to one orchestrator. Used by one thread at a time.
class Connector {
 public:
  virtual ~Connector() = default;

  /// A connection. It need not have been tried: the first call shows whether it works.
  virtual absl::StatusOr<common::Channel> Connect() = 0;

  /// A connection after a call on the last one failed with `cause`, as one does whose orchestrator
  /// ends. Waits up to `patience` for a remote orchestrator to come back; a private one is waited
  /// for as long as it may take to end, and then started anew. `cause`, or more about it, when
  /// there is none.
  virtual absl::StatusOr<common::Channel> Reconnect(const absl::Status& cause,
                                                    absl::Duration patience) = 0;

  /// The orchestrator is this user's own, on this host.
  virtual bool is_private() const = 0;
};

/// An orchestrator that runs whether this command does or not.
class RemoteConnector final : public Connector {
 public:
  explicit RemoteConnector(common::Channel channel) : channel_(std::move(channel)) {}

  absl::StatusOr<common::Channel> Connect() override { return channel_; }
  absl::StatusOr<common::Channel> Reconnect(const absl::Status& cause,
                                            absl::Duration patience) override;
  bool is_private() const override { return false; }

 private:
  common::Channel channel_;
};

}  // namespace machine::cli

#endif  // CLI_CONNECT_CONNECTOR_H_
