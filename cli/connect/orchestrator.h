// Calls to the orchestrator.
#ifndef CLI_CONNECT_ORCHESTRATOR_H_
#define CLI_CONNECT_ORCHESTRATOR_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/connect/connector.h"
#include "services/common/rpc/channel.h"
#include "services/common/status/grpc_status.h"

namespace machine::cli {

/// One orchestrator over one connection, made by the first call and made again when the
/// orchestrator was restarted meanwhile. Thread-safe.
class Orchestrator {
 public:
  explicit Orchestrator(Connector& connector) : connector_(connector) {}

  /// How long a call may take that reads or records.
  static constexpr absl::Duration kCallTimeout = absl::Seconds(30);

  /// How long a call is repeated while orchestrators end and others start.
  static constexpr absl::Duration kRepeatFor = absl::Minutes(2);

  /// Makes a unary call; Service is the proto's, `method` its stub's. A call that a private
  /// orchestrator did not answer because it was ending is made again on the next one: reads may be,
  /// and mutations carry a request_id.
  template <typename Service, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Service::Stub::*method)(grpc::ClientContext*,
                                                                      const Request&, Response*),
                                const Request& request, absl::Duration timeout = kCallTimeout) {
    const absl::Time give_up = absl::Now() + kRepeatFor;
    for (;;) {
      absl::StatusOr<common::Channel> channel = this->channel();
      if (!channel.ok()) return channel.status();
      typename Service::Stub stub(channel->grpc());
      grpc::ClientContext context;
      channel->Prepare(context, timeout);
      Response response;
      const absl::Status status =
          common::FromGrpcStatus((stub.*method)(&context, request, &response));
      if (status.ok()) return response;
      if (!LostBy(status) || absl::Now() > give_up) return status;
      if (absl::Status lost = Recover(*channel, status); !lost.ok()) return lost;
    }
  }

  /// Whether a call that was not cancelled here ended with `status` because its orchestrator ends
  /// or is gone, and not because that answered so. A private one that ends may also cancel its
  /// calls, and the one that follows on its socket takes another cookie.
  bool LostBy(const absl::Status& status) const;

  /// The connection, for streams.
  absl::StatusOr<common::Channel> channel();

  /// After a call on `failed` ended with `cause`, for which LostBy() holds: OK when channel() now
  /// gives a connection that is worth a try, else why there is none.
  absl::Status Recover(const common::Channel& failed, const absl::Status& cause,
                       absl::Duration patience = absl::ZeroDuration());

  bool is_private() const { return connector_.is_private(); }

 private:
  Connector& connector_;
  absl::Mutex mu_;
  std::optional<common::Channel> channel_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::cli

#endif  // CLI_CONNECT_ORCHESTRATOR_H_
