#include "services/common/crypto/join_token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace machine::common {
namespace {

constexpr absl::string_view kPrefix = "dmj1_";
constexpr size_t kPartBytes = 32;

}  // namespace

std::string FormatJoinToken(const JoinToken& token) {
  return absl::StrCat(kPrefix, absl::WebSafeBase64Escape(absl::StrCat(
                                   token.secret, absl::HexStringToBytes(token.ca_fingerprint))));
}

absl::StatusOr<JoinToken> ParseJoinToken(absl::string_view text) {
  std::string bytes;
  if (!absl::ConsumePrefix(&text, kPrefix) || !absl::WebSafeBase64Unescape(text, &bytes) ||
      bytes.size() != 2 * kPartBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("this is no join token: one begins with ", kPrefix, " and is copied whole"));
  }
  return JoinToken{.secret = bytes.substr(0, kPartBytes),
                   .ca_fingerprint = absl::BytesToHexString(bytes.substr(kPartBytes))};
}

}  // namespace machine::common
