// Names of drivers in the editions of the original.
#ifndef SERVICES_COMMON_LEGACY_DRIVER_NAME_H_
#define SERVICES_COMMON_LEGACY_DRIVER_NAME_H_

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace machine::common {

/// What a driver is called here, by a name that some edition had for it: "hyperv" of the
/// last releases is the documentation's "hyper-v". Case does not count. Any other name is its own.
inline std::string DriverNameHere(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "hyperv") ? "hyper-v" : std::string(name);
}

}  // namespace machine::common

#endif  // SERVICES_COMMON_LEGACY_DRIVER_NAME_H_
