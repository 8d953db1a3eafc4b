// The driver's create flags, and their values in a form to work with.
#ifndef DRIVERS_VMWAREFUSION_SETTINGS_H_
#define DRIVERS_VMWAREFUSION_SETTINGS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/guest_options.h"
#include "drivers/hypervisor/tool_hosts.h"
#include "drivers/sdk/flags.h"
#include "drivers/sdk/options.h"

namespace machine::driver::vmwarefusion {

inline constexpr hypervisor::FlagPrefix kPrefix = {"vmwarefusion", "FUSION"};
inline constexpr absl::string_view kImageFlag = "vmwarefusion-image";
inline constexpr absl::string_view kDiskFlag = "vmwarefusion-disk-size";

/// What a machine is to be.
struct Settings {
  hypervisor::HostAccess host;
  /// Without an image, the default one of the host's architecture.
  hypervisor::GuestOptions guest;
  /// -1 for as many as the host has.
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  int64_t disk_mib = 0;
  /// "nat", "bridged" or "hostonly".
  std::string network;
  /// "nogui" or "gui".
  std::string ui;
};

Flags FusionFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);

/// Those that cannot change while the machine lives, as one line of JSON.
std::string FixedSettings(const Settings& settings);

}  // namespace machine::driver::vmwarefusion

#endif  // DRIVERS_VMWAREFUSION_SETTINGS_H_
