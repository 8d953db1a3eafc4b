#include "drivers/amazonec2/sigv4.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/crypto/digest.h"

namespace machine::driver::amazonec2 {
namespace {

constexpr absl::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// Authority and path of a URL; the path of one without is "/".
std::pair<std::string, std::string> HostAndPath(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != absl::string_view::npos) url.remove_prefix(scheme + 3);
  const size_t slash = url.find('/');
  if (slash == absl::string_view::npos) return {std::string(url), "/"};
  return {std::string(url.substr(0, slash)), std::string(url.substr(slash))};
}

// Surrounding space goes, and runs of it become one.
std::string Trimmed(absl::string_view value) {
  std::string trimmed(value);
  absl::RemoveExtraAsciiWhitespace(&trimmed);
  return trimmed;
}

std::string SigningKey(absl::string_view secret, absl::string_view date,
                       const SigningScope& scope) {
  std::string key = common::HmacSha256(absl::StrCat("AWS4", secret), date);
  key = common::HmacSha256(key, scope.region);
  key = common::HmacSha256(key, scope.service);
  return common::HmacSha256(key, "aws4_request");
}

}  // namespace

void SignRequest(const AwsCredentials& credentials, const SigningScope& scope, absl::Time now,
                 common::HttpRequest& request) {
  const std::string time = absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  const std::string date = time.substr(0, 8);
  request.headers.Set("X-Amz-Date", time);
  if (!credentials.session_token.empty()) {
    request.headers.Set("X-Amz-Security-Token", credentials.session_token.view());
  }
  const auto [host, path] = HostAndPath(request.url);
  std::map<std::string, std::string> signed_fields = {{"host", host}};
  for (const auto& [name, value] : request.headers) {
    signed_fields[absl::AsciiStrToLower(name)] = Trimmed(value);
  }
  std::string canonical_fields;
  std::vector<std::string> names;
  for (const auto& [name, value] : signed_fields) {
    absl::StrAppend(&canonical_fields, name, ":", value, "\n");
    names.push_back(name);
  }
  const std::string signed_names = absl::StrJoin(names, ";");
  const std::string canonical_request =
      absl::StrCat(request.method, "\n", path, "\n\n", canonical_fields, "\n", signed_names, "\n",
                   common::Sha256Hex(request.body));
  const std::string where =
      absl::StrCat(date, "/", scope.region, "/", scope.service, "/aws4_request");
  const std::string to_sign =
      absl::StrCat(kAlgorithm, "\n", time, "\n", where, "\n", common::Sha256Hex(canonical_request));
  const std::string signature = absl::BytesToHexString(
      common::HmacSha256(SigningKey(credentials.secret_access_key.view(), date, scope), to_sign));
  request.headers.Set(
      "Authorization",
      absl::StrCat(kAlgorithm, " Credential=", credentials.access_key_id, "/", where,
                   ", SignedHeaders=", signed_names, ", Signature=", signature));
}

}  // namespace machine::driver::amazonec2
