// X.509 certificates: the authority that issues them, and what is in one.
#ifndef SERVICES_COMMON_CRYPTO_CERTIFICATES_H_
#define SERVICES_COMMON_CRYPTO_CERTIFICATES_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/secret_string.h"

namespace machine::common {

/// A certificate with its private key.
struct IssuedCert {
  std::string cert_pem;
  /// PKCS#8, without a passphrase.
  SecretString key_pem;
  absl::Time not_before;
  absl::Time not_after;
  /// 32 lower-case hexadecimal digits.
  std::string serial;
};

/// Whom a client certificate is for. At least one of the three is required.
struct ClientIdentity {
  std::string common_name;
  std::string organization;
  /// For example "machine://user/alice"; what the orchestrator derives a role from.
  std::optional<std::string> uri;
};

/// A private key and a request for a certificate of it.
struct CertRequest {
  /// PKCS#8, without a passphrase.
  SecretString key_pem;
  /// PKCS #10. It names nobody: whoever signs it knows for whom.
  std::string request_pem;
};

/// A request for the key `key_pem`, or for a new ECDSA P-256 key where that is empty.
absl::StatusOr<CertRequest> MakeCertRequest(absl::string_view key_pem = "");

/// What a server's certificate may be used for.
enum class ServerUse {
  kServer,
  /// Also to dial other servers, as the managers of a classic swarm do.
  kServerAndClient,
};

/// A certificate authority with an ECDSA P-256 key; one of another kind can be loaded. Cheap to
/// copy: copies share the key. Thread-safe.
class CertAuthority {
 public:
  /// A new authority that may sign servers and clients, but no further authorities.
  /// `clock` outlives it and its copies.
  static absl::StatusOr<CertAuthority> Create(absl::string_view organization,
                                              absl::Duration lifetime,
                                              const Clock& clock = Clock::Real());

  /// An authority from its two files. INVALID_ARGUMENT when one is malformed, or the certificate is
  /// no authority's; FAILED_PRECONDITION when the two do not belong together.
  static absl::StatusOr<CertAuthority> FromPem(absl::string_view cert_pem,
                                               absl::string_view key_pem,
                                               const Clock& clock = Clock::Real());

  /// A new key and a certificate for a server that is reached under `names`: IP addresses, and DNS
  /// names with or without a leading "*.". INVALID_ARGUMENT for a name that is neither, or for no
  /// names; FAILED_PRECONDITION when the authority has expired. The certificate never outlives the
  /// authority's.
  absl::StatusOr<IssuedCert> IssueServer(const std::vector<std::string>& names,
                                         absl::Duration lifetime,
                                         ServerUse use = ServerUse::kServer) const;

  /// The same for the key of a PKCS #10 request, from which nothing else is taken; key_pem is
  /// empty. INVALID_ARGUMENT also when it is none, is not signed with its own key, or has a weak
  /// one.
  absl::StatusOr<IssuedCert> SignServerRequest(absl::string_view request_pem,
                                               const std::vector<std::string>& names,
                                               absl::Duration lifetime) const;

  /// A new key and a certificate for a client.
  absl::StatusOr<IssuedCert> IssueClient(const ClientIdentity& identity,
                                         absl::Duration lifetime) const;

  /// As SignServerRequest(), for a client.
  absl::StatusOr<IssuedCert> SignClientRequest(absl::string_view request_pem,
                                               const ClientIdentity& identity,
                                               absl::Duration lifetime) const;

  const std::string& cert_pem() const;
  /// PKCS#8. Leaves the process only sealed.
  const SecretString& key_pem() const;
  absl::Time not_after() const;

 private:
  struct State;
  explicit CertAuthority(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

/// What a certificate says.
struct CertInfo {
  /// As RFC 4514 writes it, for example "CN=dev,O=machine".
  std::string subject;
  std::string issuer;
  /// Empty where the subject has none.
  std::string common_name;
  std::string organization;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;
  absl::Time not_before;
  absl::Time not_after;
  /// Lower-case hexadecimal digits.
  std::string serial;
  /// SHA-256 of the DER form, as 64 lower-case hexadecimal digits.
  std::string fingerprint;
  bool is_ca = false;

  /// The first certificate in `pem`; INVALID_ARGUMENT when there is none.
  static absl::StatusOr<CertInfo> Parse(absl::string_view pem);
};

/// OK when `cert_pem` was issued and signed by `ca_pem`. Does not look at the time.
/// FAILED_PRECONDITION when it was not, INVALID_ARGUMENT when one is no certificate.
absl::Status VerifySignedBy(absl::string_view cert_pem, absl::string_view ca_pem);

/// OK when the private key belongs to the certificate; FAILED_PRECONDITION when it does not.
absl::Status KeyMatchesCert(absl::string_view key_pem, absl::string_view cert_pem);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_CERTIFICATES_H_
