#include "services/orchestrator/api/server_service.h"

#include <utility>

#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

ServerService::ServerService(machine::v1::ServerInfo info, const Engine& engine,
                             const MachineIndex& index, absl::AnyInvocable<void(bool)> shut_down)
    : info_(std::move(info)), engine_(engine), index_(index), shut_down_(std::move(shut_down)) {}

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
                                                     const machine::v1::ImportStoreRequest*,
                                                     machine::v1::ImportStoreResponse*) {
  auto* const reactor = context->DefaultReactor();
  reactor->Finish(common::ToGrpcStatus(
      common::Error(absl::StatusCode::kUnimplemented, machine::v1::ERROR_REASON_CAPABILITY_MISSING,
                    "importing a store is not supported by this version")));
  return reactor;
}

}  // namespace machine::orchestrator
