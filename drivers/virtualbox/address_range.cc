#include "drivers/virtualbox/address_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::driver::virtualbox {
namespace {

constexpr int kLeastPrefix = 8;
// With fewer addresses there is no room for machines.
constexpr int kGreatestPrefix = 28;

std::string Text(uint32_t address) {
  const in_addr raw = {.s_addr = htonl(address)};
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &raw, text, sizeof(text));
  return text;
}

}  // namespace

absl::StatusOr<AddressRange> ParseAddressRange(absl::string_view cidr) {
  const std::pair<std::string, absl::string_view> parts = absl::StrSplit(cidr, '/');
  in_addr raw = {};
  int prefix = 0;
  if (inet_pton(AF_INET, parts.first.c_str(), &raw) != 1 ||
      !absl::SimpleAtoi(parts.second, &prefix) || prefix < kLeastPrefix ||
      prefix > kGreatestPrefix) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", cidr, "\" is not the host's address and the length of a prefix from ",
                     kLeastPrefix, " to ", kGreatestPrefix, ", such as 192.168.59.1/24"));
  }
  const uint32_t host = ntohl(raw.s_addr);
  const uint32_t size = uint32_t{1} << (32 - prefix);
  const uint32_t network = host & ~(size - 1);
  const uint32_t lower = network + size / 5 * 2;
  if (host == network || host + 1 >= lower) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", cidr, "\": the host's address must be one of ", Text(network + 1),
                     " to ", Text(lower - 2), ", as those after it are for machines"));
  }
  return AddressRange{.cidr = std::string(cidr),
                      .host = Text(host),
                      .netmask = Text(~(size - 1)),
                      .dhcp = Text(host + 1),
                      .lower = Text(lower),
                      .upper = Text(network + size - 2)};
}

}  // namespace machine::driver::virtualbox
