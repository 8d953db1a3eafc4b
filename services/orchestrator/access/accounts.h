// Users, their certificates and grants: what admins and joining clients ask for.
#ifndef SERVICES_ORCHESTRATOR_ACCESS_ACCOUNTS_H_
#define SERVICES_ORCHESTRATOR_ACCESS_ACCOUNTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/access.pb.h"
#include "services/common/clock/clock.h"
#include "services/orchestrator/access/authority.h"
#include "services/orchestrator/access/gate.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Every change counts for the calls that follow its answer. Errors as in machine.v1.Access.
/// Thread-safe; all methods block.
class Accounts {
 public:
  /// All outlive it. Without an authority (of an orchestrator that listens on no network) there
  /// are no tokens.
  Accounts(Store& store, const AccessAuthority* authority, AccessGate* gate,
           const common::Clock& clock = common::Clock::Real())
      : store_(store), authority_(authority), gate_(gate), clock_(clock) {}

  absl::StatusOr<machine::v1::User> Identity(const Caller& caller) const;
  absl::StatusOr<machine::v1::JoinToken> CreateJoinToken(
      const machine::v1::CreateJoinTokenRequest& request);
  absl::StatusOr<machine::v1::ClientCertificate> Join(const machine::v1::JoinRequest& request);
  absl::StatusOr<machine::v1::ClientCertificate> Renew(
      const Caller& caller, const machine::v1::RenewCertificateRequest& request);

  absl::StatusOr<machine::v1::ListUsersResponse> ListUsers(
      const machine::v1::ListUsersRequest& request) const;
  absl::StatusOr<machine::v1::User> UpdateUser(const machine::v1::UpdateUserRequest& request);
  absl::Status DeleteUser(absl::string_view name);

  absl::StatusOr<machine::v1::Grant> CreateGrant(const machine::v1::CreateGrantRequest& request);
  absl::StatusOr<machine::v1::ListGrantsResponse> ListGrants(
      const machine::v1::ListGrantsRequest& request) const;
  absl::Status DeleteGrant(absl::string_view name);

 private:
  absl::Status CheckAuthority() const;
  // Writes, and has the policy follow.
  absl::Status Change(Store::Work work);
  // Signs, and records the certificate; with a token's hash also uses that up.
  absl::StatusOr<machine::v1::ClientCertificate> Certify(const std::string& user_id,
                                                         absl::string_view request_pem,
                                                         const std::string& token_hash);

  Store& store_;
  const AccessAuthority* const authority_;
  AccessGate* const gate_;
  const common::Clock& clock_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ACCESS_ACCOUNTS_H_
