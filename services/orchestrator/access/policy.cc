#include "services/orchestrator/access/policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/certificates.h"
#include "services/common/status/status.h"
#include "services/orchestrator/access/method_rules.h"

namespace machine::orchestrator {
namespace {

using machine::v1::Role;

// Certificates that were read are remembered; more than these only come from many users at once.
constexpr size_t kMaxCertificates = 4096;

absl::Status NotKnown(absl::string_view why) {
  return common::Error(
      absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_CLIENT_CREDENTIALS,
      absl::StrCat(why,
                   ": ask an admin for a join token (docker-machine user token USER), then run "
                   "docker-machine login TOKEN"));
}

absl::string_view Property(const grpc::AuthContext& context, const char* name) {
  const std::vector<grpc::string_ref> values = context.FindPropertyValues(name);
  return values.empty() ? absl::string_view()
                        : absl::string_view(values[0].data(), values[0].size());
}

}  // namespace

std::string Caller::Name() const {
  if (kind == Kind::kLocal) return "local";
  return kind == Kind::kUser ? absl::StrCat("users/", user_id) : "";
}

std::shared_ptr<const AccessPolicy::Users> AccessPolicy::users() const {
  absl::MutexLock lock(&mu_);
  return users_;
}

bool AccessPolicy::MayLess(const User& before, const Users& now, absl::string_view id) {
  const auto it = now.find(id);
  if (it == now.end() || it->second.role < before.role) return true;
  return std::any_of(before.grants.begin(), before.grants.end(), [&](const Grant& old) {
    return std::none_of(it->second.grants.begin(), it->second.grants.end(), [&](const Grant& now) {
      return now.selector == old.selector && now.role >= old.role;
    });
  });
}

absl::StatusOr<std::vector<std::string>> AccessPolicy::Load() {
  absl::MutexLock one_at_a_time(&load_mu_);
  std::vector<UserRecord> records;
  std::vector<machine::v1::Grant> grants;
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(records, reader.ListUsers());
    DM_ASSIGN_OR_RETURN(grants, reader.ListGrants());
    return absl::OkStatus();
  }));
  auto users = std::make_shared<Users>();
  for (const UserRecord& record : records) {
    User& user = (*users)[absl::StripPrefix(record.user().name(), "users/")];
    user.role = record.user().role();
    for (const auto& certificate : record.certificates()) {
      user.fingerprints.insert(certificate.fingerprint());
    }
  }
  for (const machine::v1::Grant& grant : grants) {
    const auto user = users->find(absl::StripPrefix(grant.user(), "users/"));
    absl::StatusOr<MachineFilter> filter = MachineFilter::Parse(grant.selector());
    // One that cannot be read gives nothing.
    if (user == users->end() || !filter.ok()) continue;
    user->second.grants.push_back({grant.role(), grant.selector(), *std::move(filter)});
  }
  std::vector<std::string> lessened;
  absl::MutexLock lock(&mu_);
  for (const auto& [id, user] : *users_) {
    if (MayLess(user, *users, id)) lessened.push_back(id);
  }
  users_ = std::move(users);
  return lessened;
}

absl::StatusOr<AccessPolicy::Certificate> AccessPolicy::ReadCertificate(const std::string& pem) {
  {
    absl::MutexLock lock(&mu_);
    const auto it = certificates_.find(pem);
    if (it != certificates_.end()) return it->second;
  }
  const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(pem);
  if (!info.ok()) return NotKnown("the client certificate cannot be read");
  Certificate certificate{.user_id = "",
                          .fingerprint = info->fingerprint,
                          .not_after = info->not_after,
                          .own = common::VerifySignedBy(pem, own_ca_pem_).ok()};
  for (const std::string& uri : info->uris) {
    absl::string_view id = uri;
    if (!absl::ConsumePrefix(&id, kUserUriPrefix)) continue;
    // Of two it is not clear who is meant.
    if (!certificate.user_id.empty()) return NotKnown("the client certificate names two users");
    certificate.user_id = std::string(id);
  }
  absl::MutexLock lock(&mu_);
  if (certificates_.size() >= kMaxCertificates) certificates_.clear();
  certificates_[pem] = certificate;
  return certificate;
}

absl::StatusOr<Caller> AccessPolicy::Identify(const grpc::AuthContext& context) {
  if (Property(context, GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME) == "local") {
    return Caller{.kind = Caller::Kind::kLocal};
  }
  const absl::string_view pem = Property(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pem.empty()) return NotKnown("this orchestrator asks for a client certificate");
  DM_ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(std::string(pem)));
  const absl::Time now = clock_.Now();
  if (certificate.not_after <= now) {
    return NotKnown(absl::StrCat("the client certificate ended at ",
                                 absl::FormatTime(certificate.not_after, absl::UTCTimeZone())));
  }
  const std::shared_ptr<const Users> users = this->users();
  const auto user = users->find(certificate.user_id);
  if (user == users->end() ||
      (certificate.own && !user->second.fingerprints.contains(certificate.fingerprint))) {
    return NotKnown(
        absl::StrCat("the client certificate of users/", certificate.user_id, " was revoked"));
  }
  {
    absl::MutexLock lock(&mu_);
    seen_[certificate.user_id] = now;
  }
  return Caller{
      .kind = Caller::Kind::kUser, .user_id = certificate.user_id, .role = user->second.role};
}

bool AccessPolicy::HasGrant(const Caller& caller, Role needed) const {
  const std::shared_ptr<const Users> users = this->users();
  const auto user = users->find(caller.user_id);
  if (caller.kind != Caller::Kind::kUser || user == users->end()) return false;
  return std::any_of(user->second.grants.begin(), user->second.grants.end(),
                     [&](const Grant& grant) { return grant.role >= needed; });
}

bool AccessPolicy::MayOn(const Caller& caller, Role needed,
                         const machine::v1::Machine& machine) const {
  if (caller.Has(needed)) return true;
  const std::shared_ptr<const Users> users = this->users();
  const auto user = users->find(caller.user_id);
  if (caller.kind != Caller::Kind::kUser || user == users->end()) return false;
  return std::any_of(
      user->second.grants.begin(), user->second.grants.end(),
      [&](const Grant& grant) { return grant.role >= needed && grant.filter.Fits(machine); });
}

std::optional<std::vector<MachineFilter>> AccessPolicy::VisibleTo(const Caller& caller) const {
  if (caller.Has(machine::v1::ROLE_VIEWER)) return std::nullopt;
  std::vector<MachineFilter> filters;
  const std::shared_ptr<const Users> users = this->users();
  const auto user = users->find(caller.user_id);
  if (caller.kind != Caller::Kind::kUser || user == users->end()) return filters;
  for (const Grant& grant : user->second.grants) {
    if (grant.role >= machine::v1::ROLE_VIEWER) filters.push_back(grant.filter);
  }
  return filters;
}

std::map<std::string, absl::Time> AccessPolicy::TakeSeen() {
  absl::MutexLock lock(&mu_);
  return std::exchange(seen_, {});
}

}  // namespace machine::orchestrator
