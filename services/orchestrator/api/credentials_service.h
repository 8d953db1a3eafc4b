// machine.v1.Credentials.
#ifndef SERVICES_ORCHESTRATOR_API_CREDENTIALS_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_CREDENTIALS_SERVICE_H_

#include "machine/v1/credentials.grpc.pb.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/engine/credential_book.h"

namespace machine::orchestrator {

class CredentialsService final : public machine::v1::Credentials::CallbackService {
 public:
  CredentialsService(CredentialBook& book, common::Executor& executor)
      : book_(book), executor_(executor) {}

  grpc::ServerUnaryReactor* CreateCredential(grpc::CallbackServerContext* context,
                                             const machine::v1::CreateCredentialRequest* request,
                                             machine::v1::Credential* response) override;
  grpc::ServerUnaryReactor* ListCredentials(
      grpc::CallbackServerContext* context, const machine::v1::ListCredentialsRequest* request,
      machine::v1::ListCredentialsResponse* response) override;
  grpc::ServerUnaryReactor* RotateCredential(grpc::CallbackServerContext* context,
                                             const machine::v1::RotateCredentialRequest* request,
                                             machine::v1::Credential* response) override;
  grpc::ServerUnaryReactor* DeleteCredential(grpc::CallbackServerContext* context,
                                             const machine::v1::DeleteCredentialRequest* request,
                                             google::protobuf::Empty* response) override;

 private:
  CredentialBook& book_;
  common::Executor& executor_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_CREDENTIALS_SERVICE_H_
