// What an organisation has, and what a machine is made from there.
#ifndef DRIVERS_VMWAREVCLOUDAIR_CATALOG_H_
#define DRIVERS_VMWAREVCLOUDAIR_CATALOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "drivers/vmwarevcloudair/vcd_api.h"

namespace machine::driver::vmwarevcloudair {

/// Something with a name and a URL.
struct Named {
  std::string name;
  std::string href;
};

/// Where a machine goes and what it is made from.
struct Place {
  Named vdc;
  Named network;
  /// The virtual machine in the catalogue item's template.
  Named source;
  /// Its place (edge_gateway.h); empty without a public address.
  Named gateway;
};

/// Chooses what `settings` leave open, and checks what they name. Errors: PreCreateCheckFailed()
/// that lists what exists.
absl::StatusOr<Place> Choose(const common::CallScope& call, VcdApi& api, const Settings& settings);

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_CATALOG_H_
