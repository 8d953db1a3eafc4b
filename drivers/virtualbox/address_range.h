#ifndef DRIVERS_VIRTUALBOX_ADDRESS_RANGE_H_
#define DRIVERS_VIRTUALBOX_ADDRESS_RANGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::driver::virtualbox {

/// The addresses of a host-only network.
struct AddressRange {
  /// As it was given: "192.168.59.1/24".
  std::string cidr;
  /// The host's own.
  std::string host;
  std::string netmask;
  /// Of the DHCP server, and the first and last that it gives away.
  std::string dhcp;
  std::string lower;
  std::string upper;
};

/// Reads "192.168.59.1/24", the host's address and the length of the network's prefix: the DHCP
/// server takes the one after it, and machines the last six tenths of the network.
/// INVALID_ARGUMENT saying what is wrong.
absl::StatusOr<AddressRange> ParseAddressRange(absl::string_view cidr);

}  // namespace machine::driver::virtualbox

#endif  // DRIVERS_VIRTUALBOX_ADDRESS_RANGE_H_
