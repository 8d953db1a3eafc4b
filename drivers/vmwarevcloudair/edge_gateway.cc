#include "drivers/vmwarevcloudair/edge_gateway.h"

#include <arpa/inet.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/errors.h"
#include "drivers/vmwarevcloudair/cloud_api.h"
#include "drivers/vmwarevcloudair/nsxt_gateway.h"
#include "drivers/vmwarevcloudair/nsxv_gateway.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr absl::string_view kUrn = "urn:vcloud:gateway:";
constexpr int kMaxMends = 8;

std::optional<uint32_t> ParseIpv4(absl::string_view text) {
  in_addr address;
  if (inet_pton(AF_INET, std::string(absl::StripAsciiWhitespace(text)).c_str(), &address) != 1) {
    return std::nullopt;
  }
  return ntohl(address.s_addr);
}

// "22" or "8000-8100"; what is no number is all of them.
bool HasPort(absl::string_view ports, int port) {
  const std::pair<absl::string_view, absl::string_view> range =
      absl::StrSplit(ports, absl::MaxSplits('-', 1));
  int first = 0;
  int last = 0;
  if (!absl::SimpleAtoi(range.first, &first)) return true;
  if (!absl::SimpleAtoi(range.second, &last)) last = first;
  return first <= port && port <= last;
}

}  // namespace

bool HasAddress(absl::string_view addresses, absl::string_view ip) {
  const std::optional<uint32_t> wanted = ParseIpv4(ip);
  if (!wanted.has_value()) return false;
  const std::pair<absl::string_view, absl::string_view> cidr =
      absl::StrSplit(addresses, absl::MaxSplits('/', 1));
  uint32_t bits = 0;
  if (absl::SimpleAtoi(cidr.second, &bits) && bits <= 32) {
    const std::optional<uint32_t> base = ParseIpv4(cidr.first);
    const uint32_t mask = bits == 0 ? 0 : ~uint32_t{0} << (32 - bits);
    return base.has_value() && (*base & mask) == (*wanted & mask);
  }
  const std::pair<absl::string_view, absl::string_view> range =
      absl::StrSplit(addresses, absl::MaxSplits('-', 1));
  const std::optional<uint32_t> first = ParseIpv4(range.first);
  const std::optional<uint32_t> last = range.second.empty() ? first : ParseIpv4(range.second);
  return first.has_value() && last.has_value() && *first <= *wanted && *wanted <= *last;
}

absl::StatusOr<PublicAccess> BesideRules(absl::string_view gateway,
                                         const std::vector<InboundRule>& rules,
                                         PublicAccess access) {
  for (const InboundRule& rule : rules) {
    if (!HasAddress(rule.addresses, access.public_ip)) continue;
    if (HasPort(rule.ports, access.spare_port)) std::erase(access.ports, access.spare_port);
    for (const int port : access.ports) {
      if (!HasPort(rule.ports, port)) continue;
      return PreCreateCheckFailed(
          absl::StrCat("--", kPublicIpFlag, ": port ", port, " of ", access.public_ip,
                       " is taken by NAT rule \"", rule.name, "\" of edge gateway ", gateway,
                       "; take another address, or another port of the machine"));
    }
  }
  return access;
}

absl::Status MendUntilRight(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                            absl::FunctionRef<absl::StatusOr<bool>()> step) {
  int mends = 0;
  const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
    absl::MutexLock lock(&api.gateway_mutex());
    DM_ASSIGN_OR_RETURN(const bool mended, step());
    if (!mended) return true;
    if (++mends < kMaxMends) return std::nullopt;
    return absl::AbortedError("the rules of the edge gateway are changed by others all the time");
  };
  return Await<bool>(call, backoff, look).status();
}

absl::StatusOr<std::vector<EdgeGatewayName>> ListEdgeGateways(const common::CallScope& call,
                                                              VcdApi& api) {
  DM_ASSIGN_OR_RETURN(const std::vector<Json> all, CloudApi(api).List(call, "edgeGateways"));
  std::vector<EdgeGatewayName> gateways;
  for (const Json& each : all) {
    const std::string id = Text(each, "id");
    // NSXT_BACKED, NSXT_IMPORTED, or NSXV_BACKED.
    const std::string type = Text(Member(each, "gatewayBacking"), "gatewayType");
    gateways.push_back({Text(each, "name"),
                        absl::StartsWith(type, "NSXV_")
                            ? absl::StrCat("/api/admin/edgeGateway/", absl::StripPrefix(id, kUrn))
                            : id});
  }
  return gateways;
}

std::unique_ptr<EdgeGateway> EdgeGatewayAt(VcdApi& api, const Backoff& backoff,
                                           absl::string_view place) {
  if (absl::StartsWith(place, kUrn)) return std::make_unique<NsxtGateway>(api, backoff, place);
  return std::make_unique<NsxvGateway>(api, backoff, place);
}

}  // namespace machine::driver::vmwarevcloudair
