#include "services/orchestrator/api/credentials_service.h"

#include "services/common/rpc/server_reactors.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

grpc::ServerUnaryReactor* CredentialsService::CreateCredential(
    grpc::CallbackServerContext* context, const machine::v1::CreateCredentialRequest* request,
    machine::v1::Credential* response) {
  return common::RunUnary(executor_, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, book_.Create(*request));
                            return absl::OkStatus();
                          });
}

grpc::ServerUnaryReactor* CredentialsService::ListCredentials(
    grpc::CallbackServerContext* context, const machine::v1::ListCredentialsRequest* request,
    machine::v1::ListCredentialsResponse* response) {
  return common::RunUnary(executor_, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, book_.List(*request));
                            return absl::OkStatus();
                          });
}

grpc::ServerUnaryReactor* CredentialsService::RotateCredential(
    grpc::CallbackServerContext* context, const machine::v1::RotateCredentialRequest* request,
    machine::v1::Credential* response) {
  return common::RunUnary(executor_, *context,
                          [this, request, response](common::CallScope&) -> absl::Status {
                            DM_ASSIGN_OR_RETURN(*response, book_.Rotate(*request));
                            return absl::OkStatus();
                          });
}

grpc::ServerUnaryReactor* CredentialsService::DeleteCredential(
    grpc::CallbackServerContext* context, const machine::v1::DeleteCredentialRequest* request,
    google::protobuf::Empty*) {
  return common::RunUnary(executor_, *context, [this, request](common::CallScope&) -> absl::Status {
    return book_.Delete(request->name());
  });
}

}  // namespace machine::orchestrator
