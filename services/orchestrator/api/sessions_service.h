#ifndef SERVICES_ORCHESTRATOR_API_SESSIONS_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_SESSIONS_SERVICE_H_

#include <atomic>
#include <cstdint>

#include "machine/v1/sessions.grpc.pb.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// Transport of machine.v1.Sessions: joins the client's stream with the provisioner's.
class SessionsService final : public machine::v1::Sessions::CallbackService {
 public:
  SessionsService(EngineParts parts, const MachineIndex& index);

  grpc::ServerBidiReactor<machine::v1::ExecRequest, machine::v1::ExecResponse>* Exec(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<machine::v1::TunnelRequest, machine::v1::TunnelResponse>* Tunnel(
      grpc::CallbackServerContext* context) override;

  /// Sessions open now.
  int64_t open() const { return *open_; }

 private:
  // Finds how to log in to a running machine, and gives it with a provisioner to `next`.
  using Next = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<ProvisionerConnection>>,
                                       ::provisioner::v1::SshTarget)>;
  void Prepare(absl::string_view name, Next next);

  const EngineParts parts_;
  const MachineIndex& index_;
  const std::shared_ptr<std::atomic<int64_t>> open_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_SESSIONS_SERVICE_H_
