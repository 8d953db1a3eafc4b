// SSH key pairs.
#ifndef SERVICES_COMMON_CRYPTO_KEYS_H_
#define SERVICES_COMMON_CRYPTO_KEYS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/crypto/secret_string.h"

namespace machine::common {

/// All functions are thread-safe.
struct SshKeyPair {
  /// In OpenSSH's own format (PROTOCOL.key), without a passphrase.
  SecretString private_key;
  /// One line as in authorized_keys, without a line end: "ssh-ed25519 AAAA… comment".
  std::string public_key;
};

/// A new Ed25519 key pair. INVALID_ARGUMENT when `comment` holds a line end.
absl::StatusOr<SshKeyPair> GenerateSshKeyPair(absl::string_view comment);

/// The public line of a private key: Ed25519, RSA or ECDSA, in OpenSSH's format or as PEM (PKCS#1,
/// SEC1, PKCS#8). Without `comment` the one in the key is used, if it has one.
/// FAILED_PRECONDITION when a passphrase protects the key, INVALID_ARGUMENT when it is none.
absl::StatusOr<std::string> SshPublicKey(absl::string_view private_key,
                                         absl::string_view comment = "");

/// The fingerprint as `ssh-keygen -l` shows it, "SHA256:…", of a public line.
/// INVALID_ARGUMENT when it is none.
absl::StatusOr<std::string> SshFingerprint(absl::string_view public_key);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_KEYS_H_
