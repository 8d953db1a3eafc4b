#include "services/orchestrator/api/driver_identities_service.h"

#include "services/common/rpc/server_reactors.h"

namespace machine::orchestrator {

grpc::ServerUnaryReactor* DriverIdentitiesService::ListDriverIdentities(
    grpc::CallbackServerContext*, const machine::v1::ListDriverIdentitiesRequest*,
    machine::v1::ListDriverIdentitiesResponse* response) {
  for (machine::v1::DriverIdentity& identity : keeper_.List()) {
    *response->add_identities() = std::move(identity);
  }
  auto call = common::UnaryCall::Create();
  call->Reply(absl::OkStatus());
  return call.get();
}

}  // namespace machine::orchestrator
