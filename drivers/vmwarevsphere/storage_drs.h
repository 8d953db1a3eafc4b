// Storage DRS, the part of a vCenter that spreads disks over the datastores of a cluster.
#ifndef DRIVERS_VMWAREVSPHERE_STORAGE_DRS_H_
#define DRIVERS_VMWAREVSPHERE_STORAGE_DRS_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/vmwarevsphere/inventory.h"
#include "drivers/vmwarevsphere/vim_client.h"

namespace machine::driver::vmwarevsphere {

/// The datastore of `place.datastore_cluster` that Storage DRS recommends for a clone of
/// `place.source` called `name`; no value where it recommends none: it may be turned off. `place`
/// has both.
///
/// https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/ (StorageResourceManager)
absl::StatusOr<std::optional<Ref>> RecommendDatastore(const common::CallScope& call,
                                                      VimClient& client, const Place& place,
                                                      absl::string_view name);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_STORAGE_DRS_H_
