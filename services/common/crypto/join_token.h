// The token with which a client joins an orchestrator.
#ifndef SERVICES_COMMON_CRYPTO_JOIN_TOKEN_H_
#define SERVICES_COMMON_CRYPTO_JOIN_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::common {

/// What a token says: who has it may join, and whom to trust meanwhile.
struct JoinToken {
  /// 32 random bytes.
  std::string secret;
  /// Of the certificate to trust, as CertInfo has it.
  std::string ca_fingerprint;
};

/// As one word: "dmj1_" and letters.
std::string FormatJoinToken(const JoinToken& token);

/// INVALID_ARGUMENT, which does not show it, when `text` is no token.
absl::StatusOr<JoinToken> ParseJoinToken(absl::string_view text);

}  // namespace machine::common

#endif  // SERVICES_COMMON_CRYPTO_JOIN_TOKEN_H_
