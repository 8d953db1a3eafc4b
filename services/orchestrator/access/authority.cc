#include "services/orchestrator/access/authority.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "services/orchestrator/access/policy.h"
#include "services/orchestrator/certs/authority_record.h"

namespace machine::orchestrator {
namespace {

constexpr absl::string_view kAuthorityName = "access-ca";
constexpr absl::string_view kPemBegin = "-----BEGIN CERTIFICATE-----";
constexpr absl::Duration kServerCertificateLifetime = absl::Hours(24 * 90);

// "host" of "host:port" or "[host]:port".
absl::string_view HostOf(absl::string_view address) {
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return host;
}

// Those that a certificate can hold: a wildcard address is none.
bool IsWildcard(absl::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "::" || host == "*";
}

absl::Status InFile(const absl::Status& status, absl::string_view option, absl::string_view path) {
  if (status.ok()) return status;
  return absl::FailedPreconditionError(absl::StrCat(option, ": ", path, ": ", status.message()));
}

std::string LastCertificate(const std::string& chain) {
  const size_t at = chain.rfind(std::string(kPemBegin));
  return at == std::string::npos ? "" : chain.substr(at);
}

}  // namespace

std::vector<std::string> NamesOfListener(absl::string_view host) {
  std::vector<std::string> names;
  if (!IsWildcard(host)) names.emplace_back(host);
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0') {
    names.emplace_back(name.data());
  }
  if (!IsWildcard(host)) return names;
  names.emplace_back("localhost");
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return names;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text = {};
    const int family = at->ifa_addr->sa_family;
    const void* bytes = nullptr;
    if (family == AF_INET) {
      bytes = &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr;
    } else if (family == AF_INET6) {
      bytes = &reinterpret_cast<const sockaddr_in6*>(at->ifa_addr)->sin6_addr;
    }
    if (bytes == nullptr || inet_ntop(family, bytes, text.data(), text.size()) == nullptr) continue;
    names.emplace_back(text.data());
  }
  return names;
}

absl::StatusOr<AccessAuthority> AccessAuthority::Open(Store& store, const SecretVault& vault,
                                                      ListenOptions options,
                                                      const common::Clock& clock) {
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(options.folder));
  DM_ASSIGN_OR_RETURN(common::CertAuthority ca,
                      common::Annotate(LoadOrCreateAuthority(store, vault, kAuthorityName,
                                                             "docker-machine access", clock),
                                       "access authority"));
  return AccessAuthority(std::move(ca), std::move(options), clock);
}

absl::StatusOr<common::RpcServerTls> AccessAuthority::WriteFiles() const {
  const bool given = !options_.cert_file.empty();
  DM_RETURN_IF_ERROR(given ? CheckGivenCertificate() : WriteServerCertificate());
  std::string clients = ca_.cert_pem();
  if (!options_.client_ca_file.empty()) {
    const absl::StatusOr<std::string> more = common::ReadFile(options_.client_ca_file);
    const absl::Status readable =
        more.ok() ? common::CertInfo::Parse(*more).status() : more.status();
    DM_RETURN_IF_ERROR(InFile(readable, "--client-ca", options_.client_ca_file));
    clients += *more;
  }
  // Only where it changes: whoever watches the file would read it again.
  if (common::ReadFile(client_ca_path()).value_or("") != clients) {
    DM_RETURN_IF_ERROR(common::WriteFileAtomically(client_ca_path(), clients, 0600));
  }
  return common::RpcServerTls{.address = options_.address,
                              .cert_path = given ? options_.cert_file : cert_path(),
                              .key_path = given ? options_.key_file : key_path(),
                              .client_ca_path = client_ca_path()};
}

absl::Status AccessAuthority::CheckGivenCertificate() const {
  const absl::StatusOr<std::string> cert = common::ReadFile(options_.cert_file);
  DM_RETURN_IF_ERROR(InFile(cert.status(), "--tls-cert", options_.cert_file));
  const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(*cert);
  DM_RETURN_IF_ERROR(InFile(info.status(), "--tls-cert", options_.cert_file));
  if (!common::CertInfo::Parse(LastCertificate(*cert))->is_ca) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--tls-cert: ", options_.cert_file,
        ": the last certificate in it must be the authority that clients are to trust"));
  }
  const absl::StatusOr<std::string> key = common::ReadFile(options_.key_file);
  DM_RETURN_IF_ERROR(InFile(key.status(), "--tls-key", options_.key_file));
  return InFile(common::KeyMatchesCert(*key, *cert), "--tls-key", options_.key_file);
}

bool AccessAuthority::IsGood(const std::vector<std::string>& names) const {
  const std::string cert = common::ReadFile(cert_path()).value_or("");
  const std::string key = common::ReadFile(key_path()).value_or("");
  const absl::StatusOr<common::CertInfo> info = common::CertInfo::Parse(cert);
  if (!info.ok() || !common::VerifySignedBy(cert, ca_.cert_pem()).ok() ||
      !common::KeyMatchesCert(key, cert).ok() || LastCertificate(cert) != ca_.cert_pem()) {
    return false;
  }
  const absl::Duration left = info->not_after - clock_.Now();
  if (left < (info->not_after - info->not_before) / 3 && info->not_after < ca_.not_after()) {
    return false;
  }
  // An address of another form is the same in a new certificate: it is only made once more.
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const auto has = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    return has(info->dns_names) || has(info->ip_addresses);
  });
}

absl::Status AccessAuthority::WriteServerCertificate() const {
  std::vector<std::string> names = NamesOfListener(HostOf(options_.address));
  names.insert(names.end(), options_.names.begin(), options_.names.end());
  if (IsGood(names)) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(
      const common::IssuedCert issued,
      common::Annotate(ca_.IssueServer(names, kServerCertificateLifetime), "server certificate"));
  // Between the two a pair that does not fit is on the disk; who watches them waits for one that
  // does.
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(key_path(), issued.key_pem.view(), 0600));
  return common::WriteFileAtomically(cert_path(), issued.cert_pem + ca_.cert_pem(), 0600);
}

absl::StatusOr<std::string> AccessAuthority::TrustAnchor() const {
  if (options_.cert_file.empty()) return ca_.cert_pem();
  DM_ASSIGN_OR_RETURN(const std::string chain, common::ReadFile(options_.cert_file));
  return LastCertificate(chain);
}

absl::StatusOr<common::IssuedCert> AccessAuthority::IssueFor(absl::string_view user_id,
                                                             absl::string_view request_pem) const {
  return ca_.SignClientRequest(request_pem,
                               {.common_name = std::string(user_id),
                                .organization = "docker-machine",
                                .uri = absl::StrCat(kUserUriPrefix, user_id)},
                               kUserCertificateLifetime);
}

}  // namespace machine::orchestrator
