#include "services/orchestrator/api/server_service.h"

#include <utility>

#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"
#include "services/orchestrator/import/store_export.h"
#include "services/orchestrator/import/store_import.h"

namespace machine::orchestrator {

ServerService::ServerService(machine::v1::ServerInfo info, const EngineParts& parts,
                             const Engine& engine, const MachineIndex& index,
                             absl::AnyInvocable<void(bool)> shut_down)
    : info_(std::move(info)),
      parts_(parts),
      engine_(engine),
      index_(index),
      shut_down_(std::move(shut_down)) {}

grpc::ServerUnaryReactor* ServerService::GetServerInfo(grpc::CallbackServerContext* context,
                                                       const machine::v1::GetServerInfoRequest*,
                                                       machine::v1::ServerInfo* response) {
  *response = info_;
  response->set_active_operations(engine_.active());
  response->set_machine_count(static_cast<int64_t>(index_.size()));
  auto* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* ServerService::Shutdown(grpc::CallbackServerContext* context,
                                                  const machine::v1::ShutdownRequest* request,
                                                  google::protobuf::Empty*) {
  shut_down_(request->drain());
  auto* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* ServerService::ImportStore(grpc::CallbackServerContext* context,
                                                     const machine::v1::ImportStoreRequest* request,
                                                     machine::v1::ImportStoreResponse* response) {
  return common::RunUnary(parts_.executor, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, StoreImporter(parts_).Import(*request));
                            return absl::OkStatus();
                          });
}

grpc::ServerUnaryReactor* ServerService::ExportStore(grpc::CallbackServerContext* context,
                                                     const machine::v1::ExportStoreRequest* request,
                                                     machine::v1::ExportStoreResponse* response) {
  return common::RunUnary(parts_.executor, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, StoreExporter(parts_).Export(*request));
                            return absl::OkStatus();
                          });
}

}  // namespace machine::orchestrator
