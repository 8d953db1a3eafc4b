#include "services/orchestrator/certs/driver_authority.h"

#include <utility>

#include "services/common/status/status.h"
#include "services/orchestrator/certs/authority_record.h"

namespace machine::orchestrator {
namespace {

constexpr absl::string_view kAuthorityName = "driver-ca";
constexpr char kCaller[] = "orchestrator";

}  // namespace

absl::StatusOr<common::CertAuthority> DriverAuthority::Ca() {
  absl::MutexLock lock(&mu_);
  if (!ca_.has_value()) {
    DM_ASSIGN_OR_RETURN(common::CertAuthority ca,
                        common::Annotate(LoadOrCreateAuthority(store_, vault_, kAuthorityName,
                                                               "docker-machine drivers", clock_),
                                         "authority for drivers"));
    ca_ = std::move(ca);
  }
  return *ca_;
}

absl::StatusOr<std::string> DriverAuthority::CaPem() {
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, Ca());
  return ca.cert_pem();
}

absl::StatusOr<common::IssuedCert> DriverAuthority::IssueDriver(
    absl::string_view request_pem, const std::vector<std::string>& hosts) {
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, Ca());
  return ca.SignServerRequest(request_pem, hosts, lifetime_);
}

absl::StatusOr<common::IssuedCert> DriverAuthority::IssueCaller() {
  DM_ASSIGN_OR_RETURN(const common::CertAuthority ca, Ca());
  return ca.IssueClient({.common_name = kCaller, .organization = "", .uri = std::nullopt},
                        kDriverCallerLifetime);
}

}  // namespace machine::orchestrator
