#ifndef SERVICES_ORCHESTRATOR_API_SERVER_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_SERVER_SERVICE_H_

#include "absl/functional/any_invocable.h"
#include "machine/v1/server.grpc.pb.h"
#include "services/orchestrator/drivers/supervisor.h"
#include "services/orchestrator/engine/engine.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// Transport of machine.v1.Server.
class ServerService final : public machine::v1::Server::CallbackService {
 public:
  /// `info` has what does not change; `shut_down` is told once whether to drain.
  ServerService(machine::v1::ServerInfo info, const EngineParts& parts, const Engine& engine,
                const MachineIndex& index, Supervisor& supervisor,
                absl::AnyInvocable<void(bool drain)> shut_down);

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const machine::v1::GetServerInfoRequest* request,
                                          machine::v1::ServerInfo* response) override;
  grpc::ServerUnaryReactor* Shutdown(grpc::CallbackServerContext* context,
                                     const machine::v1::ShutdownRequest* request,
                                     google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* ImportStore(grpc::CallbackServerContext* context,
                                        const machine::v1::ImportStoreRequest* request,
                                        machine::v1::ImportStoreResponse* response) override;
  grpc::ServerUnaryReactor* ExportStore(grpc::CallbackServerContext* context,
                                        const machine::v1::ExportStoreRequest* request,
                                        machine::v1::ExportStoreResponse* response) override;

 private:
  void AddDependencies(machine::v1::ServerInfo& info) const;

  const machine::v1::ServerInfo info_;
  Supervisor& supervisor_;
  const EngineParts parts_;
  const Engine& engine_;
  const MachineIndex& index_;
  absl::AnyInvocable<void(bool)> shut_down_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_SERVER_SERVICE_H_
