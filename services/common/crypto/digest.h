// Digests and comparisons.
#ifndef SERVICES_COMMON_CRYPTO_DIGEST_H_
#define SERVICES_COMMON_CRYPTO_DIGEST_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::common {

/// The SHA-256 digest of `data`: 32 bytes.
std::string Sha256(absl::string_view data);

/// The same as 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view data);

/// HMAC-SHA256 (RFC 2104) of `data` under `key`: 32 bytes.
std::string HmacSha256(absl::string_view key, absl::string_view data);

/// Whether both are the same, in a time that depends on the lengths only. For cookies and tokens.
bool ConstantTimeEqual(absl::string_view a, absl::string_view b);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_DIGEST_H_
