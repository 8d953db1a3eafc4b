#ifndef SERVICES_ORCHESTRATOR_API_ACCESS_SERVICE_H_
#define SERVICES_ORCHESTRATOR_API_ACCESS_SERVICE_H_

#include "machine/v1/access.grpc.pb.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/access/accounts.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Transport of machine.v1.Access.
class AccessService final : public machine::v1::Access::CallbackService {
 public:
  /// `policy` may be null, where every caller is local.
  AccessService(Accounts& accounts, AccessPolicy* policy, Store& store, common::Executor& executor)
      : accounts_(accounts), policy_(policy), store_(store), executor_(executor) {}

  grpc::ServerUnaryReactor* GetIdentity(grpc::CallbackServerContext* context,
                                        const machine::v1::GetIdentityRequest* request,
                                        machine::v1::User* response) override;
  grpc::ServerUnaryReactor* CreateJoinToken(grpc::CallbackServerContext* context,
                                            const machine::v1::CreateJoinTokenRequest* request,
                                            machine::v1::JoinToken* response) override;
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context,
                                 const machine::v1::JoinRequest* request,
                                 machine::v1::ClientCertificate* response) override;
  grpc::ServerUnaryReactor* RenewCertificate(grpc::CallbackServerContext* context,
                                             const machine::v1::RenewCertificateRequest* request,
                                             machine::v1::ClientCertificate* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* context,
                                      const machine::v1::ListUsersRequest* request,
                                      machine::v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* UpdateUser(grpc::CallbackServerContext* context,
                                       const machine::v1::UpdateUserRequest* request,
                                       machine::v1::User* response) override;
  grpc::ServerUnaryReactor* DeleteUser(grpc::CallbackServerContext* context,
                                       const machine::v1::DeleteUserRequest* request,
                                       google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* CreateGrant(grpc::CallbackServerContext* context,
                                        const machine::v1::CreateGrantRequest* request,
                                        machine::v1::Grant* response) override;
  grpc::ServerUnaryReactor* ListGrants(grpc::CallbackServerContext* context,
                                       const machine::v1::ListGrantsRequest* request,
                                       machine::v1::ListGrantsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteGrant(grpc::CallbackServerContext* context,
                                        const machine::v1::DeleteGrantRequest* request,
                                        google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* ListAuditEntries(
      grpc::CallbackServerContext* context, const machine::v1::ListAuditEntriesRequest* request,
      machine::v1::ListAuditEntriesResponse* response) override;
  grpc::ServerUnaryReactor* VerifyAudit(grpc::CallbackServerContext* context,
                                        const machine::v1::VerifyAuditRequest* request,
                                        machine::v1::VerifyAuditResponse* response) override;

 private:
  Accounts& accounts_;
  AccessPolicy* const policy_;
  Store& store_;
  common::Executor& executor_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_ACCESS_SERVICE_H_
