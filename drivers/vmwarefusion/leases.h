#ifndef DRIVERS_VMWAREFUSION_LEASES_H_
#define DRIVERS_VMWAREFUSION_LEASES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::driver::vmwarefusion {

/// The IPv4 address that a DHCP server has given to the network interface `mac` ("00:50:56:…",
/// lower case) by the text of its file of leases: that of VMware (as ISC's dhcpd writes it) or that
/// of macOS. Of several, the last counts. Empty when there is none.
std::string LeasedAddress(absl::string_view text, absl::string_view mac);

}  // namespace machine::driver::vmwarefusion

#endif  // DRIVERS_VMWAREFUSION_LEASES_H_
