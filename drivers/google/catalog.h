// What Compute Engine has on offer: defaults are found there, and what is asked for is checked.
#ifndef DRIVERS_GOOGLE_CATALOG_H_
#define DRIVERS_GOOGLE_CATALOG_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "drivers/google/google_api.h"
#include "drivers/google/settings.h"

namespace machine::driver::gce {

/// What an instance is made of.
struct Choice {
  /// Image::path.
  std::string image;
  std::string machine_type;
  /// A type of so little memory that an engine hardly runs.
  bool little_memory = false;
};

/// The image and machine type that `settings` ask for, or the defaults where they ask for none.
/// Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> Choose(const common::CallScope& call, const GoogleApi& api,
                              const Settings& settings);

/// Checks everything in `settings` that the provider knows: zone, machine type, image, disk type,
/// network, address. Errors: PreCreateCheckFailed() with what exists.
absl::StatusOr<Choice> CheckSettings(const common::CallScope& call, const GoogleApi& api,
                                     const Settings& settings);

/// The IP of the reserved address that `settings` name. Errors: PreCreateCheckFailed() with what
/// there is.
absl::StatusOr<std::string> IpOfAddress(const common::CallScope& call, const GoogleApi& api,
                                        const Settings& settings);

/// The one with least memory of at least 1 GiB, for x86-64 and without accelerators; of several
/// the one with most processors, then the first by name. No value where there is none.
std::optional<MachineType> SmallestUsable(absl::Span<const MachineType> types);

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_CATALOG_H_
