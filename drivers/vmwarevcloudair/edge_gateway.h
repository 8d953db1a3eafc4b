// The rules of an edge gateway by which a machine is reached at a public address.
#ifndef DRIVERS_VMWAREVCLOUDAIR_EDGE_GATEWAY_H_
#define DRIVERS_VMWAREVCLOUDAIR_EDGE_GATEWAY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drivers/vmwarevcloudair/vcd_api.h"

namespace machine::driver::vmwarevcloudair {

/// What leads to a machine.
struct PublicAccess {
  /// Description of each rule, by which it is found again.
  std::string tag;
  std::string public_ip;
  std::string internal_ip;
  /// TCP ports, the same inside and outside.
  std::vector<int> ports;
  /// IPv4 ranges that may come in.
  std::vector<std::string> sources;
};

/// Makes the rules of `access` the only ones with its tag; all other rules stay as they are. The
/// gateway takes its rules as a whole, so that they are read, changed and looked at again.
/// Errors: ABORTED when others change them all the time.
absl::Status OpenGateway(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                         absl::string_view gateway, const PublicAccess& access);

/// Removes the rules with that tag; OK when there are none, or no gateway.
absl::Status CloseGateway(const common::CallScope& call, VcdApi& api, const Backoff& backoff,
                          absl::string_view gateway, absl::string_view tag);

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_EDGE_GATEWAY_H_
