// What DigitalOcean has on offer: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_DIGITALOCEAN_CATALOG_H_
#define DRIVERS_DIGITALOCEAN_CATALOG_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/digitalocean/digitalocean_api.h"
#include "drivers/digitalocean/settings.h"

namespace machine::driver::digitalocean {

/// What a droplet is made of.
struct Choice {
  /// A slug or an id.
  std::string image;
  std::string size;
};

/// The image and size that `settings` ask for, or the defaults where they ask for none. Errors:
/// PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> Choose(const common::CallScope& call, const DigitalOceanApi& api,
                              const Settings& settings);

/// Checks everything in `settings` that the provider knows: region, image, size, network, key.
/// Errors: PreCreateCheckFailed() with what exists.
absl::Status CheckSettings(const common::CallScope& call, const DigitalOceanApi& api,
                           const Settings& settings);

/// The newest Ubuntu LTS for x86-64 in `region`; no value where there is none.
std::optional<Image> NewestUbuntuLts(absl::Span<const Image> images, absl::string_view region);

/// The cheapest in `region` with 1 GiB of memory and a disk of `least_disk_gib`; no value where
/// there is none.
std::optional<Size> CheapestUsable(absl::Span<const Size> sizes, absl::string_view region,
                                   int64_t least_disk_gib);

}  // namespace machine::driver::digitalocean

#endif  // DRIVERS_DIGITALOCEAN_CATALOG_H_
