// What SoftLayer takes orders for: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_SOFTLAYER_CATALOG_H_
#define DRIVERS_SOFTLAYER_CATALOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/softlayer/settings.h"
#include "drivers/softlayer/softlayer_api.h"

namespace machine::driver::softlayer {

/// What a guest is made of.
struct Choice {
  std::string region;
  std::string image;
};

/// The data center and image that `settings` ask for, or the defaults where they ask for none;
/// checks all that the list of options knows. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> Choose(const common::CallScope& call, const SoftLayerApi& api,
                              const Settings& settings);

/// The order for a guest, without keys, security group and marks.
GuestSpec OrderOf(const Settings& settings, const Choice& choice);

/// All that SoftLayer can be asked about before it is ordered: VLANs, the key, and the order
/// itself. Errors: PreCreateCheckFailed().
absl::Status CheckSettings(const common::CallScope& call, const SoftLayerApi& api,
                           const Settings& settings);

}  // namespace machine::driver::softlayer

#endif  // DRIVERS_SOFTLAYER_CATALOG_H_
