#include "services/orchestrator/access/accounts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/crypto/join_token.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"
#include "services/orchestrator/events/machine_filter.h"

namespace machine::orchestrator {
namespace {

using machine::v1::Role;

constexpr absl::Duration kDefaultTokenLifetime = absl::Hours(1);
constexpr absl::Duration kMaxTokenLifetime = absl::Hours(24 * 7);
constexpr size_t kMaxUserId = 64;
constexpr int kMaxPage = 1000;
// A user with more devices than this loses the oldest certificates first.
constexpr int kMaxCertificates = 64;
constexpr size_t kTokenSecretBytes = 32;

google::protobuf::Timestamp ToMessage(absl::Time time) {
  google::protobuf::Timestamp message;
  message.set_seconds(absl::ToUnixSeconds(time));
  return message;
}

absl::Status CheckUserId(absl::string_view id) {
  const auto plain = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); };
  const bool good = !id.empty() && id.size() <= kMaxUserId && plain(id[0]) &&
                    std::all_of(id.begin(), id.end(), [&](char c) {
                      return plain(c) || c == '.' || c == '_' || c == '@' || c == '-';
                    });
  // Names that the audit log and the engines' certificates have for others.
  if (good && id != "local" && id != "orchestrator") return absl::OkStatus();
  return common::InvalidField(
      "user_id", absl::StrCat("\"", id,
                              "\" cannot be a user: lower-case letters, digits and . _ @ -, at "
                              "most 64, the first a letter or digit; not local or orchestrator"));
}

absl::StatusOr<std::string> IdOf(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "users/") || name.empty()) {
    return common::InvalidField("name", "expected users/ID");
  }
  return std::string(name);
}

absl::Status NoUser(absl::string_view id) {
  return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_USER_NOT_FOUND,
                       absl::StrCat("no user \"", id, "\": docker-machine user ls shows all"),
                       {{"user", std::string(id)}});
}

absl::Status TokenRefused() {
  return common::Error(absl::StatusCode::kUnauthenticated,
                       machine::v1::ERROR_REASON_JOIN_TOKEN_REFUSED,
                       "the join token is unknown, was used before or has ended: ask an admin for "
                       "a new one (docker-machine user token USER)");
}

absl::StatusOr<UserRecord> GetUser(StoreReader& reader, absl::string_view id) {
  DM_ASSIGN_OR_RETURN(std::optional<UserRecord> record, reader.FindUser(id));
  if (!record.has_value()) return NoUser(id);
  return *std::move(record);
}

// An error where `id` is the last admin.
absl::Status CheckNotLastAdmin(StoreReader& reader, const UserRecord& user) {
  if (user.user().role() != machine::v1::ROLE_ADMIN) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::vector<UserRecord> users, reader.ListUsers());
  for (const UserRecord& other : users) {
    if (other.user().role() == machine::v1::ROLE_ADMIN &&
        other.user().name() != user.user().name()) {
      return absl::OkStatus();
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat(user.user().name(), " is the last admin: make another one first"));
}

absl::StatusOr<size_t> PageSize(int32_t size) {
  if (size < 0) return common::InvalidField("page_size", "must not be negative");
  return static_cast<size_t>(size == 0 ? kMaxPage : std::min(size, kMaxPage));
}

}  // namespace

absl::Status Accounts::CheckAuthority() const {
  if (authority_ != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this orchestrator serves this host only: start machine-orchestrator with --listen HOST:PORT "
      "for users elsewhere");
}

absl::Status Accounts::Change(Store::Work work) {
  DM_RETURN_IF_ERROR(store_.WriteAndWait(std::move(work)));
  if (gate_ != nullptr) gate_->Reload();
  return absl::OkStatus();
}

absl::StatusOr<machine::v1::User> Accounts::Identity(const Caller& caller) const {
  machine::v1::User user;
  if (caller.local()) {
    user.set_name("users/local");
    user.set_role(machine::v1::ROLE_ADMIN);
    return user;
  }
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const UserRecord record, GetUser(reader, caller.user_id));
    user = record.user();
    return absl::OkStatus();
  }));
  return user;
}

absl::StatusOr<machine::v1::JoinToken> Accounts::CreateJoinToken(
    const machine::v1::CreateJoinTokenRequest& request) {
  DM_RETURN_IF_ERROR(CheckAuthority());
  DM_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  const absl::Duration lifetime =
      request.has_lifetime() ? absl::Seconds(request.lifetime().seconds()) : kDefaultTokenLifetime;
  if (lifetime <= absl::ZeroDuration() || lifetime > kMaxTokenLifetime) {
    return common::InvalidField("lifetime", "must be 1 second to 7 days");
  }
  DM_ASSIGN_OR_RETURN(const std::string anchor, authority_->TrustAnchor());
  DM_ASSIGN_OR_RETURN(const common::CertInfo ca, common::CertInfo::Parse(anchor));
  const std::string secret = common::RandomBytes(kTokenSecretBytes);
  const JoinTokenRecord record{.hash = common::Sha256Hex(secret),
                               .user_id = request.user_id(),
                               .expire_time = clock_.Now() + lifetime};
  DM_RETURN_IF_ERROR(Change([&](StoreTransaction& transaction) -> absl::Status {
    DM_ASSIGN_OR_RETURN(std::optional<UserRecord> user, transaction.FindUser(request.user_id()));
    if (!user.has_value()) {
      user.emplace().mutable_user()->set_name(absl::StrCat("users/", request.user_id()));
      user->mutable_user()->set_role(request.role());
      *user->mutable_user()->mutable_create_time() = ToMessage(clock_.Now());
      DM_RETURN_IF_ERROR(transaction.PutUser(*user));
    } else if (request.role() != machine::v1::ROLE_UNSPECIFIED &&
               request.role() != user->user().role()) {
      return common::InvalidField("role",
                                  absl::StrCat("users/", request.user_id(), " exists and is ",
                                               RoleWord(user->user().role()),
                                               ": change that with docker-machine "
                                               "user role ",
                                               request.user_id(), " ", RoleWord(request.role())));
    }
    return transaction.PutJoinToken(record);
  }));
  machine::v1::JoinToken token;
  token.set_token(common::FormatJoinToken({secret, ca.fingerprint}));
  *token.mutable_expire_time() = ToMessage(record.expire_time);
  return token;
}

absl::StatusOr<machine::v1::ClientCertificate> Accounts::Join(
    const machine::v1::JoinRequest& request) {
  DM_RETURN_IF_ERROR(CheckAuthority());
  const absl::StatusOr<common::JoinToken> token = common::ParseJoinToken(request.token());
  if (!token.ok()) return TokenRefused();
  const std::string hash = common::Sha256Hex(token->secret);
  std::optional<JoinTokenRecord> record;
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(record, reader.FindJoinToken(hash));
    return absl::OkStatus();
  }));
  if (!record.has_value() || record->expire_time <= clock_.Now()) return TokenRefused();
  return Certify(record->user_id, request.certificate_request_pem(), hash);
}

absl::StatusOr<machine::v1::ClientCertificate> Accounts::Renew(
    const Caller& caller, const machine::v1::RenewCertificateRequest& request) {
  DM_RETURN_IF_ERROR(CheckAuthority());
  if (caller.kind != Caller::Kind::kUser) {
    return absl::FailedPreconditionError("a caller on this host has no certificate to renew");
  }
  return Certify(caller.user_id, request.certificate_request_pem(), /*token_hash=*/"");
}

absl::StatusOr<machine::v1::ClientCertificate> Accounts::Certify(const std::string& user_id,
                                                                 absl::string_view request_pem,
                                                                 const std::string& token_hash) {
  const absl::StatusOr<common::IssuedCert> issued = authority_->IssueFor(user_id, request_pem);
  if (absl::IsInvalidArgument(issued.status())) {
    return common::InvalidField("certificate_request_pem", issued.status().message());
  }
  DM_RETURN_IF_ERROR(issued.status());
  DM_ASSIGN_OR_RETURN(const common::CertInfo info, common::CertInfo::Parse(issued->cert_pem));
  machine::v1::ClientCertificate answer;
  DM_RETURN_IF_ERROR(Change([&](StoreTransaction& transaction) -> absl::Status {
    if (!token_hash.empty()) {
      // Of several that come with the same token, the first has it.
      DM_ASSIGN_OR_RETURN(const auto token, transaction.FindJoinToken(token_hash));
      if (!token.has_value()) return TokenRefused();
      DM_RETURN_IF_ERROR(transaction.DeleteJoinToken(token_hash));
    }
    DM_ASSIGN_OR_RETURN(UserRecord user, GetUser(transaction, user_id));
    auto& certificates = *user.mutable_certificates();
    const int64_t now_us = absl::ToUnixMicros(clock_.Now());
    const auto ended = std::remove_if(
        certificates.begin(), certificates.end(),
        [&](const auto& certificate) { return certificate.expire_time_us() <= now_us; });
    certificates.erase(ended, certificates.end());
    while (certificates.size() >= kMaxCertificates) certificates.erase(certificates.begin());
    auto& certificate = *certificates.Add();
    certificate.set_fingerprint(info.fingerprint);
    certificate.set_expire_time_us(absl::ToUnixMicros(info.not_after));
    *user.mutable_user()->mutable_certificate_expire_time() = ToMessage(info.not_after);
    *answer.mutable_user() = user.user();
    return transaction.PutUser(user);
  }));
  answer.set_certificate_pem(issued->cert_pem);
  DM_ASSIGN_OR_RETURN(*answer.mutable_ca_pem(), authority_->TrustAnchor());
  return answer;
}

absl::StatusOr<machine::v1::ListUsersResponse> Accounts::ListUsers(
    const machine::v1::ListUsersRequest& request) const {
  DM_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  machine::v1::ListUsersResponse response;
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const std::vector<UserRecord> users, reader.ListUsers());
    for (const UserRecord& record : users) {
      // The token is the last name given.
      if (record.user().name() <= request.page_token()) continue;
      if (static_cast<size_t>(response.users_size()) == size) {
        response.set_next_page_token(response.users().rbegin()->name());
        break;
      }
      *response.add_users() = record.user();
    }
    return absl::OkStatus();
  }));
  return response;
}

absl::StatusOr<machine::v1::User> Accounts::UpdateUser(
    const machine::v1::UpdateUserRequest& request) {
  DM_ASSIGN_OR_RETURN(const std::string id, IdOf(request.user().name()));
  const Role role = request.user().role();
  if (!machine::v1::Role_IsValid(role)) return common::InvalidField("user.role", "no such role");
  machine::v1::User changed;
  DM_RETURN_IF_ERROR(Change([&](StoreTransaction& transaction) -> absl::Status {
    DM_ASSIGN_OR_RETURN(UserRecord record, GetUser(transaction, id));
    if (role != machine::v1::ROLE_ADMIN) {
      DM_RETURN_IF_ERROR(CheckNotLastAdmin(transaction, record));
    }
    record.mutable_user()->set_role(role);
    changed = record.user();
    return transaction.PutUser(record);
  }));
  return changed;
}

absl::Status Accounts::DeleteUser(absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const std::string id, IdOf(name));
  return Change([&](StoreTransaction& transaction) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const UserRecord record, GetUser(transaction, id));
    DM_RETURN_IF_ERROR(CheckNotLastAdmin(transaction, record));
    return transaction.DeleteUser(id);
  });
}

absl::StatusOr<machine::v1::Grant> Accounts::CreateGrant(
    const machine::v1::CreateGrantRequest& request) {
  machine::v1::Grant grant = request.grant();
  DM_ASSIGN_OR_RETURN(const std::string id, IdOf(grant.user()));
  if (grant.role() != machine::v1::ROLE_VIEWER && grant.role() != machine::v1::ROLE_OPERATOR) {
    return common::InvalidField("grant.role", "a grant is of viewer or operator");
  }
  const absl::Status selector = MachineFilter::CheckSelector(grant.selector());
  if (!selector.ok()) return common::InvalidField("grant.selector", selector.message());
  grant.set_name(absl::StrCat("grants/", common::NewUuid()));
  const absl::Time now = clock_.Now();
  *grant.mutable_create_time() = ToMessage(now);
  grant.mutable_create_time()->set_nanos(
      static_cast<int32_t>(absl::ToUnixMicros(now) % 1'000'000 * 1000));
  DM_RETURN_IF_ERROR(Change([&](StoreTransaction& transaction) -> absl::Status {
    DM_RETURN_IF_ERROR(GetUser(transaction, id).status());
    return transaction.PutGrant(grant);
  }));
  return grant;
}

absl::StatusOr<machine::v1::ListGrantsResponse> Accounts::ListGrants(
    const machine::v1::ListGrantsRequest& request) const {
  DM_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  machine::v1::ListGrantsResponse response;
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(const std::vector<machine::v1::Grant> grants, reader.ListGrants());
    bool begun = request.page_token().empty();
    for (const machine::v1::Grant& grant : grants) {
      if (!begun) {
        begun = grant.name() == request.page_token();
        continue;
      }
      if (!request.user().empty() && grant.user() != request.user()) continue;
      if (static_cast<size_t>(response.grants_size()) == size) {
        response.set_next_page_token(response.grants().rbegin()->name());
        break;
      }
      *response.add_grants() = grant;
    }
    if (!begun) return common::InvalidField("page_token", "the grant it names is gone");
    return absl::OkStatus();
  }));
  return response;
}

absl::Status Accounts::DeleteGrant(absl::string_view name) {
  return Change([&](StoreTransaction& transaction) { return transaction.DeleteGrant(name); });
}

}  // namespace machine::orchestrator
