// What Exoscale has on offer: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_EXOSCALE_CATALOG_H_
#define DRIVERS_EXOSCALE_CATALOG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/exoscale/exoscale_api.h"
#include "drivers/exoscale/settings.h"

namespace machine::driver::exoscale {

/// "ubuntu-24.04" for "Linux Ubuntu 24.04 LTS 64-bit"; empty for a name without a version.
std::string ShortNameOf(absl::string_view template_name);

/// Checks the zone against the list of all zones, as `anywhere` (the account in any zone) has it.
/// Errors: PreCreateCheckFailed() with those that exist.
absl::Status CheckZone(const common::CallScope& call, const ExoscaleApi& anywhere,
                       const Settings& settings);

/// The instance type that `settings` ask for. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<InstanceType> ChooseType(const common::CallScope& call, const ExoscaleApi& api,
                                        const Settings& settings);

/// The template that `settings` ask for, or the newest Ubuntu LTS; of several of one name the
/// newest. Errors: PreCreateCheckFailed() with what exists, or where the disk is too small for it.
absl::StatusOr<Template> ChooseTemplate(const common::CallScope& call, const ExoscaleApi& api,
                                        const Settings& settings);

/// The private network that `settings` ask for. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<NamedObject> ChoosePrivateNetwork(const common::CallScope& call,
                                                 const ExoscaleApi& api, const Settings& settings);

/// All that the zone can be asked about. Errors: PreCreateCheckFailed() with what exists.
absl::Status CheckSettings(const common::CallScope& call, const ExoscaleApi& api,
                           const Settings& settings);

}  // namespace machine::driver::exoscale

#endif  // DRIVERS_EXOSCALE_CATALOG_H_
