// The certificate authority for drivers on other hosts.
#ifndef SERVICES_ORCHESTRATOR_CERTS_DRIVER_AUTHORITY_H_
#define SERVICES_ORCHESTRATOR_CERTS_DRIVER_AUTHORITY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/certificates.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Drivers that cannot renew theirs must not need a visit often, so it lasts as long as an
/// engine's.
inline constexpr absl::Duration kDriverLifetime = absl::Hours(24 * 824);
/// The orchestrator makes itself a new one for each connection.
inline constexpr absl::Duration kDriverCallerLifetime = absl::Hours(24 * 365);

/// Apart from the authorities of engines and of users: a driver lets in whoever shows a certificate
/// of this one, and nobody but the orchestrators on the store has one. Made when it is first
/// needed, its key sealed. Thread-safe. Blocks.
class DriverAuthority {
 public:
  /// `store`, `vault` and `clock` outlive it.
  DriverAuthority(Store& store, const SecretVault& vault,
                  const common::Clock& clock = common::Clock::Real(),
                  absl::Duration lifetime = kDriverLifetime)
      : store_(store), vault_(vault), clock_(clock), lifetime_(lifetime) {}

  /// Of the certificates of drivers.
  absl::Duration lifetime() const { return lifetime_; }

  absl::StatusOr<std::string> CaPem();

  /// A certificate for a driver that is reached at `hosts`, for the key of a PKCS #10 request.
  /// INVALID_ARGUMENT for a request or a host that is none.
  absl::StatusOr<common::IssuedCert> IssueDriver(absl::string_view request_pem,
                                                 const std::vector<std::string>& hosts);

  /// What this orchestrator shows to drivers.
  absl::StatusOr<common::IssuedCert> IssueCaller();

 private:
  absl::StatusOr<common::CertAuthority> Ca();

  Store& store_;
  const SecretVault& vault_;
  const common::Clock& clock_;
  const absl::Duration lifetime_;
  absl::Mutex mu_;
  std::optional<common::CertAuthority> ca_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_CERTS_DRIVER_AUTHORITY_H_
