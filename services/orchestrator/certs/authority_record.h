// A certificate authority as the store keeps it, its key sealed.
#ifndef SERVICES_ORCHESTRATOR_CERTS_AUTHORITY_RECORD_H_
#define SERVICES_ORCHESTRATOR_CERTS_AUTHORITY_RECORD_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/certificates.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Ten years: everything that trusts an authority gets its certificate only when it is set up.
inline constexpr absl::Duration kCaLifetime = absl::Hours(24 * 3650);

/// The owner of the certificates' keys, for the vault.
inline constexpr absl::string_view kCertificateKeys = "certificates";

/// A certificate with its key sealed, as PutCertificate() takes it.
absl::StatusOr<CertificateRecord> SealedCertificate(const SecretVault& vault,
                                                    absl::string_view name,
                                                    absl::string_view cert_pem,
                                                    absl::string_view key_pem);

/// The authority `name`; the first process on the store that asks makes it, called `title` and the
/// orchestrator's id. Blocks. DATA_LOSS STORE_CORRUPT when its key cannot be opened.
absl::StatusOr<common::CertAuthority> LoadOrCreateAuthority(Store& store, const SecretVault& vault,
                                                            absl::string_view name,
                                                            absl::string_view title,
                                                            const common::Clock& clock);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_CERTS_AUTHORITY_RECORD_H_
