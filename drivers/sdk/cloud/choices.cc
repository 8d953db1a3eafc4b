#include "drivers/sdk/cloud/choices.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/errors.h"

namespace machine::driver {
namespace {

// More than a terminal shows is no help.
constexpr size_t kMaxListed = 60;

bool Matches(const Retired& retired, absl::string_view value) {
  absl::string_view wanted = retired.value;
  if (wanted.empty()) return true;
  return absl::ConsumeSuffix(&wanted, "*") ? absl::StartsWith(value, wanted) : value == wanted;
}

bool IsLoopback(absl::string_view authority) {
  if (absl::StartsWith(authority, "[::1]")) return true;
  const absl::string_view host = authority.substr(0, authority.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

}  // namespace

absl::Status CheckRetired(const Options& options, absl::Span<const Retired> retired) {
  for (const Retired& each : retired) {
    if (!options.Has(each.flag)) continue;
    const std::string& value = options.GetString(each.flag);
    if (!Matches(each, value)) continue;
    return PreCreateCheckFailed(
        absl::StrCat("--", each.flag, each.value.empty() ? " " : absl::StrCat(": \"", value, "\" "),
                     each.advice));
  }
  return absl::OkStatus();
}

std::string CurrentNameOf(absl::string_view value, absl::Span<const Renamed> renamed) {
  for (const Renamed& each : renamed) {
    if (each.old_value == value) return std::string(each.new_value);
  }
  return std::string(value);
}

absl::Status CheckChoice(absl::string_view flag, absl::string_view what, absl::string_view value,
                         std::vector<std::string> existing) {
  const bool exists = std::find(existing.begin(), existing.end(), value) != existing.end();
  return exists ? absl::OkStatus() : NoSuchChoice(flag, what, value, std::move(existing));
}

absl::Status NoSuchChoice(absl::string_view flag, absl::string_view what, absl::string_view value,
                          std::vector<std::string> existing) {
  std::sort(existing.begin(), existing.end());
  existing.erase(std::unique(existing.begin(), existing.end()), existing.end());
  const size_t left_out = existing.size() > kMaxListed ? existing.size() - kMaxListed : 0;
  existing.resize(existing.size() - left_out);
  std::string message = absl::StrCat("--", flag, ": there is no ", what, " \"", value, "\"");
  if (!existing.empty()) absl::StrAppend(&message, "; there are ", absl::StrJoin(existing, ", "));
  if (left_out > 0) absl::StrAppend(&message, " and ", left_out, " more");
  return PreCreateCheckFailed(message);
}

absl::StatusOr<std::string> ParseApiEndpoint(absl::string_view flag, absl::string_view url) {
  absl::string_view rest = url;
  const bool tls = absl::ConsumePrefix(&rest, "https://");
  if (!tls && !absl::ConsumePrefix(&rest, "http://")) {
    return BadOption(flag, absl::StrCat("\"", url, "\" does not begin with https://"));
  }
  const absl::string_view authority = rest.substr(0, rest.find('/'));
  if (authority.empty() || rest.find_first_of("@?# ") != absl::string_view::npos) {
    return BadOption(flag, absl::StrCat("\"", url, "\" is not https://HOST[:PORT][/PATH]"));
  }
  if (!tls && !IsLoopback(authority)) {
    return BadOption(flag, "plain http is for endpoints on this computer only; use https://");
  }
  return std::string(absl::StripSuffix(url, "/"));
}

absl::Status CheckCidr(absl::string_view flag, absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  std::array<unsigned char, sizeof(in6_addr)> address;
  int32_t bits = 0;
  const bool v4 = inet_pton(AF_INET, parts[0].c_str(), address.data()) == 1;
  const bool v6 = !v4 && inet_pton(AF_INET6, parts[0].c_str(), address.data()) == 1;
  if (parts.size() == 2 && (v4 || v6) && absl::SimpleAtoi(parts[1], &bits) && bits >= 0 &&
      bits <= (v4 ? 32 : 128)) {
    return absl::OkStatus();
  }
  return BadOption(flag, absl::StrCat("\"", text, "\" is not a range such as 203.0.113.0/24"));
}

bool IsEverywhere(absl::string_view cidr) { return absl::EndsWith(cidr, "/0"); }

machine::v1::MachineState StateOf(absl::Span<const StateWord> table, absl::string_view word) {
  for (const StateWord& each : table) {
    if (each.word == word) return each.state;
  }
  return machine::v1::MACHINE_STATE_UNSPECIFIED;
}

}  // namespace machine::driver
