// AES-256-GCM (NIST SP 800-38D). For this folder only.
#ifndef SERVICES_COMMON_CRYPTO_AES_GCM_H_
#define SERVICES_COMMON_CRYPTO_AES_GCM_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/crypto/secret_string.h"

namespace machine::common {

inline constexpr size_t kAesKeyBytes = 32;
inline constexpr size_t kGcmNonceBytes = 12;
inline constexpr size_t kGcmTagBytes = 16;

/// A random nonce, the ciphertext and the tag.
absl::StatusOr<std::string> GcmEncrypt(absl::string_view key, absl::string_view plaintext,
                                       absl::string_view aad);

/// The reverse. DATA_LOSS when key, aad or any bit differ.
absl::StatusOr<SecretString> GcmDecrypt(absl::string_view key, absl::string_view encrypted,
                                        absl::string_view aad);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_AES_GCM_H_
