#include "drivers/sdk/host_port.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

bool IsIpv6(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool IsLabel(absl::string_view label) {
  const auto allowed = [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), allowed);
}

}  // namespace

absl::Status CheckHost(absl::string_view host) {
  if (IsIpv6(std::string(host))) return absl::OkStatus();
  const std::vector<absl::string_view> labels = absl::StrSplit(host, '.');
  const bool digits = std::all_of(host.begin(), host.end(),
                                  [](char c) { return absl::ascii_isdigit(c) || c == '.'; });
  in_addr ipv4;
  // What looks like an IPv4 address and is none would be taken for a name, and never be found.
  const bool good = digits
                        ? inet_pton(AF_INET, std::string(host).c_str(), &ipv4) == 1
                        : host.size() <= 253 && std::all_of(labels.begin(), labels.end(), IsLabel);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", host, "\" is neither an IP address nor a host name"));
}

absl::StatusOr<TcpAddress> ParseHostPort(absl::string_view text) {
  const auto bad = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" ", why));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || absl::EndsWith(text, "]")) return bad("has no port");
  absl::string_view host = text.substr(0, colon);
  const bool brackets = absl::StartsWith(host, "[") && absl::EndsWith(host, "]");
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.empty()) return bad("has no host");
  if (brackets != absl::StrContains(host, ':')) {
    return bad("needs brackets around an IPv6 address, and around nothing else");
  }
  TcpAddress address;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &address.port) || address.port < 1 ||
      address.port > 65535) {
    return bad("has a port that is not from 1 to 65535");
  }
  DM_RETURN_IF_ERROR(CheckHost(host));
  address.host = std::string(host);
  return address;
}

std::string HostPort(absl::string_view host, int port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

}  // namespace machine::driver
