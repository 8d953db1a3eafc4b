#include "services/orchestrator/api/access_service.h"

#include <utility>

#include "services/common/rpc/server_reactors.h"
#include "services/orchestrator/access/audit_log.h"
#include "services/orchestrator/access/gate.h"

namespace machine::orchestrator {
namespace {

// Answers with what `work` returns.
template <typename Response, typename Work>
grpc::ServerUnaryReactor* Answer(common::Executor& executor,
                                 const grpc::CallbackServerContext& context, Response* response,
                                 Work work) {
  return common::RunUnary(executor, context,
                          [response, work = std::move(work)](common::CallScope&) mutable {
                            absl::StatusOr<Response> answer = work();
                            if (answer.ok()) *response = *std::move(answer);
                            return answer.status();
                          });
}

}  // namespace

grpc::ServerUnaryReactor* AccessService::GetIdentity(grpc::CallbackServerContext* context,
                                                     const machine::v1::GetIdentityRequest*,
                                                     machine::v1::User* response) {
  return Answer(executor_, *context, response, [this, caller = CallerOf(policy_, *context)] {
    return accounts_.Identity(caller);
  });
}

grpc::ServerUnaryReactor* AccessService::CreateJoinToken(
    grpc::CallbackServerContext* context, const machine::v1::CreateJoinTokenRequest* request,
    machine::v1::JoinToken* response) {
  return Answer(executor_, *context, response,
                [this, request] { return accounts_.CreateJoinToken(*request); });
}

grpc::ServerUnaryReactor* AccessService::Join(grpc::CallbackServerContext* context,
                                              const machine::v1::JoinRequest* request,
                                              machine::v1::ClientCertificate* response) {
  return Answer(executor_, *context, response,
                [this, request] { return accounts_.Join(*request); });
}

grpc::ServerUnaryReactor* AccessService::RenewCertificate(
    grpc::CallbackServerContext* context, const machine::v1::RenewCertificateRequest* request,
    machine::v1::ClientCertificate* response) {
  return Answer(executor_, *context, response,
                [this, request, caller = CallerOf(policy_, *context)] {
                  return accounts_.Renew(caller, *request);
                });
}

grpc::ServerUnaryReactor* AccessService::ListUsers(grpc::CallbackServerContext* context,
                                                   const machine::v1::ListUsersRequest* request,
                                                   machine::v1::ListUsersResponse* response) {
  return Answer(executor_, *context, response,
                [this, request] { return accounts_.ListUsers(*request); });
}

grpc::ServerUnaryReactor* AccessService::UpdateUser(grpc::CallbackServerContext* context,
                                                    const machine::v1::UpdateUserRequest* request,
                                                    machine::v1::User* response) {
  return Answer(executor_, *context, response,
                [this, request] { return accounts_.UpdateUser(*request); });
}

grpc::ServerUnaryReactor* AccessService::DeleteUser(grpc::CallbackServerContext* context,
                                                    const machine::v1::DeleteUserRequest* request,
                                                    google::protobuf::Empty*) {
  return common::RunUnary(executor_, *context, [this, request](common::CallScope&) {
    return accounts_.DeleteUser(request->name());
  });
}

grpc::ServerUnaryReactor* AccessService::CreateGrant(grpc::CallbackServerContext* context,
                                                     const machine::v1::CreateGrantRequest* request,
                                                     machine::v1::Grant* response) {
  return Answer(executor_, *context, response,
                [this, request] { return accounts_.CreateGrant(*request); });
}

grpc::ServerUnaryReactor* AccessService::ListGrants(grpc::CallbackServerContext* context,
                                                    const machine::v1::ListGrantsRequest* request,
                                                    machine::v1::ListGrantsResponse* response) {
  return Answer(executor_, *context, response,
                [this, request] { return accounts_.ListGrants(*request); });
}

grpc::ServerUnaryReactor* AccessService::DeleteGrant(grpc::CallbackServerContext* context,
                                                     const machine::v1::DeleteGrantRequest* request,
                                                     google::protobuf::Empty*) {
  return common::RunUnary(executor_, *context, [this, request](common::CallScope&) {
    return accounts_.DeleteGrant(request->name());
  });
}

grpc::ServerUnaryReactor* AccessService::ListAuditEntries(
    grpc::CallbackServerContext* context, const machine::v1::ListAuditEntriesRequest* request,
    machine::v1::ListAuditEntriesResponse* response) {
  return Answer(executor_, *context, response, [this, request] {
    return machine::orchestrator::ListAuditEntries(store_, *request);
  });
}

grpc::ServerUnaryReactor* AccessService::VerifyAudit(grpc::CallbackServerContext* context,
                                                     const machine::v1::VerifyAuditRequest*,
                                                     machine::v1::VerifyAuditResponse* response) {
  return Answer(executor_, *context, response,
                [this] { return machine::orchestrator::VerifyAudit(store_); });
}

}  // namespace machine::orchestrator
