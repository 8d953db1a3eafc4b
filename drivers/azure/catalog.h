// What Azure has on offer: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_AZURE_CATALOG_H_
#define DRIVERS_AZURE_CATALOG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/azure/azure_api.h"
#include "drivers/azure/settings.h"

namespace machine::driver::azure {

/// What a virtual machine is made of.
struct Choice {
  /// With the version that "latest" is today.
  ImageName image;
  std::string size;
  double memory_gib = 0;
};

/// The image and size that `settings` ask for, or the defaults where they ask for none. Errors:
/// PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> Choose(const common::CallScope& call, const AzureApi& api,
                              const Settings& settings);

/// Checks everything in `settings` that the provider knows: location, image, size, zone, group,
/// network, subnet. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> CheckSettings(const common::CallScope& call, const AzureApi& api,
                                     const Settings& settings);

/// The offer of the newest Ubuntu LTS: "ubuntu-24_04-lts" of such names; no value where there is
/// none.
std::optional<std::string> NewestUbuntuLts(absl::Span<const std::string> offers);

/// The newest of "24.04.202611010" and the like; empty where there is none.
std::string NewestVersion(absl::Span<const std::string> versions);

/// The smallest in `zone` (any if empty) with 1 GiB of memory that this subscription may have; no
/// value where there is none.
std::optional<Size> SmallestUsable(absl::Span<const Size> sizes, absl::string_view zone);

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_CATALOG_H_
