#include "services/orchestrator/certs/certificates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::string_view kCaName = "ca";
std::string ClientName(absl::string_view user) { return absl::StrCat("client/", user); }

}  // namespace

absl::StatusOr<std::optional<CertificateRecord>> Certificates::FindRecord(absl::string_view name) {
  std::optional<CertificateRecord> record;
  DM_RETURN_IF_ERROR(store_.Read([&](StoreReader& reader) -> absl::Status {
    DM_ASSIGN_OR_RETURN(record, reader.FindCertificate(name));
    return absl::OkStatus();
  }));
  return record;
}

absl::StatusOr<common::CertAuthority> Certificates::Ca() {
  absl::MutexLock lock(&mu_);
  return CaLocked();
}

absl::StatusOr<common::CertAuthority> Certificates::CaLocked() {
  if (!ca_.has_value()) {
    DM_ASSIGN_OR_RETURN(ca_, common::Annotate(LoadOrCreateAuthority(store_, vault_, kCaName,
                                                                    "docker-machine", clock_),
                                              "certificate authority"));
  }
  return *ca_;
}

bool Certificates::IsFresh(absl::Time not_before, absl::Time not_after,
                           absl::Time ca_not_after) const {
  const absl::Duration left = not_after - clock_.Now();
  return left > absl::ZeroDuration() &&
         (left >= (not_after - not_before) / 3 || not_after >= ca_not_after);
}

absl::StatusOr<ServerCertificate> Certificates::IssueServer(const std::vector<std::string>& names,
                                                            absl::Duration lifetime) {
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, Ca());
  DM_ASSIGN_OR_RETURN(const common::IssuedCert issued,
                      common::Annotate(ca.IssueServer(names, lifetime), "server certificate"));
  return ServerCertificate{.cert_pem = issued.cert_pem,
                           .key_pem = std::string(issued.key_pem.view()),
                           .not_after = issued.not_after};
}

bool Certificates::NeedsRenewal(absl::string_view cert_pem, absl::Duration lifetime) {
  const absl::StatusOr<common::CertAuthority> ca = Ca();
  const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(cert_pem);
  if (!ca.ok() || !info.ok()) return true;
  // Its start is backdated, which for a short life would be most of it.
  const absl::Time begin = std::max(info->not_before, info->not_after - lifetime);
  return !IsFresh(begin, info->not_after, ca->not_after()) ||
         !common::VerifySignedBy(cert_pem, ca->cert_pem()).ok();
}

absl::StatusOr<ClientBundle> Certificates::BundleOf(absl::string_view user) {
  absl::MutexLock lock(&mu_);
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, CaLocked());
  const auto cached = clients_.find(user);
  if (cached != clients_.end() &&
      IsFresh(cached->second.not_before, cached->second.not_after, ca.not_after())) {
    return cached->second;
  }
  const std::string context = absl::StrCat("client certificate of ", user);
  DM_ASSIGN_OR_RETURN(std::optional<ClientBundle> bundle,
                      common::Annotate(LoadClient(ca, user), context));
  if (!bundle.has_value()) {
    DM_ASSIGN_OR_RETURN(bundle, common::Annotate(IssueClient(ca, user), context));
  }
  clients_.insert_or_assign(std::string(user), *bundle);
  return *std::move(bundle);
}

absl::Status Certificates::RenewBundleOf(absl::string_view user) {
  absl::MutexLock lock(&mu_);
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, CaLocked());
  DM_ASSIGN_OR_RETURN(
      ClientBundle bundle,
      common::Annotate(IssueClient(ca, user), absl::StrCat("client certificate of ", user)));
  clients_.insert_or_assign(std::string(user), std::move(bundle));
  return absl::OkStatus();
}

absl::StatusOr<ClientBundle> Certificates::ShortLivedBundle(absl::string_view user) {
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, Ca());
  DM_ASSIGN_OR_RETURN(
      const common::IssuedCert issued,
      common::Annotate(ca.IssueClient({.common_name = std::string(user)}, kShortLifetime),
                       absl::StrCat("client certificate of ", user)));
  return ClientBundle{.ca_pem = ca.cert_pem(),
                      .cert_pem = issued.cert_pem,
                      .key_pem = std::string(issued.key_pem.view()),
                      .not_before = issued.not_before,
                      .not_after = issued.not_after};
}

absl::StatusOr<std::optional<ClientBundle>> Certificates::LoadClient(
    const common::CertAuthority& ca, absl::string_view user) {
  const std::string name = ClientName(user);
  DM_ASSIGN_OR_RETURN(const std::optional<CertificateRecord> record, FindRecord(name));
  if (!record.has_value()) return std::nullopt;
  DM_ASSIGN_OR_RETURN(const common::CertInfo info, common::CertInfo::Parse(record->cert_pem()));
  if (!IsFresh(info.not_before, info.not_after, ca.not_after()) ||
      !common::VerifySignedBy(record->cert_pem(), ca.cert_pem()).ok()) {
    return std::nullopt;
  }
  DM_ASSIGN_OR_RETURN(const common::SecretString key,
                      vault_.Open(kCertificateKeys, name, record->key_sealed()));
  return ClientBundle{.ca_pem = ca.cert_pem(),
                      .cert_pem = record->cert_pem(),
                      .key_pem = std::string(key.view()),
                      .not_before = info.not_before,
                      .not_after = info.not_after};
}

absl::StatusOr<ClientBundle> Certificates::IssueClient(const common::CertAuthority& ca,
                                                       absl::string_view user) {
  // No URI: this one is for engines and gives no role with an orchestrator.
  DM_ASSIGN_OR_RETURN(const common::IssuedCert issued,
                      ca.IssueClient({.common_name = std::string(user)}, kClientLifetime));
  DM_ASSIGN_OR_RETURN(
      const CertificateRecord record,
      SealedCertificate(vault_, ClientName(user), issued.cert_pem, issued.key_pem.view()));
  DM_RETURN_IF_ERROR(store_.WriteAndWait(
      [&](StoreTransaction& transaction) { return transaction.PutCertificate(record); }));
  return ClientBundle{.ca_pem = ca.cert_pem(),
                      .cert_pem = issued.cert_pem,
                      .key_pem = std::string(issued.key_pem.view()),
                      .not_before = issued.not_before,
                      .not_after = issued.not_after};
}

}  // namespace machine::orchestrator
