#include "drivers/exoscale/signature.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/crypto/digest.h"

namespace machine::driver::exoscale {
namespace {

// The text that PercentEncode() of the SDK was given.
std::string Decoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

// From the slash after the host.
absl::string_view TargetOf(absl::string_view url) {
  const size_t scheme = url.find("://");
  const size_t slash = url.find('/', scheme == absl::string_view::npos ? 0 : scheme + 3);
  return slash == absl::string_view::npos ? "/" : url.substr(slash);
}

}  // namespace

std::string AuthorizationOf(const common::HttpRequest& request, absl::string_view key,
                            absl::string_view secret, absl::Time expires) {
  const std::pair<absl::string_view, absl::string_view> target =
      absl::StrSplit(TargetOf(request.url), absl::MaxSplits('?', 1));
  std::map<std::string, std::string> arguments;
  for (const absl::string_view part : absl::StrSplit(target.second, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> argument =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    arguments.emplace(Decoded(argument.first), Decoded(argument.second));
  }
  std::string values;
  std::vector<std::string> names;
  for (const auto& [name, value] : arguments) {
    names.push_back(name);
    values += value;
  }
  const int64_t until = absl::ToUnixSeconds(expires);
  // The fourth line is for headers, of which none is signed.
  const std::string message = absl::StrCat(request.method, " ", target.first, "\n", request.body,
                                           "\n", values, "\n\n", until);
  std::string header = absl::StrCat("EXO2-HMAC-SHA256 credential=", key);
  if (!names.empty()) absl::StrAppend(&header, ",signed-query-args=", absl::StrJoin(names, ";"));
  absl::StrAppend(&header, ",expires=", until,
                  ",signature=", absl::Base64Escape(common::HmacSha256(secret, message)));
  return header;
}

}  // namespace machine::driver::exoscale
