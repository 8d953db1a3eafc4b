// Signatures with a private key that a provider gave out.
#ifndef SERVICES_COMMON_CRYPTO_SIGNING_H_
#define SERVICES_COMMON_CRYPTO_SIGNING_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::common {

/// The signature of `data` by RSASSA-PKCS1-v1_5 with SHA-256, which JSON Web Signatures call RS256
/// (RFC 7518, section 3.3). `private_key_pem` is PKCS#8 or PKCS#1, without a passphrase.
/// INVALID_ARGUMENT when it is no RSA key, FAILED_PRECONDITION when a passphrase protects it.
/// Thread-safe.
absl::StatusOr<std::string> SignRs256(absl::string_view private_key_pem, absl::string_view data);

/// The SHA-1 digest, 20 bytes, of the first certificate in `pem`: how some providers name it. It
/// proves nothing. INVALID_ARGUMENT when there is no certificate.
absl::StatusOr<std::string> CertificateSha1(absl::string_view pem);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_SIGNING_H_
