// The driver's create flags, and their values in a form to work with.
#ifndef DRIVERS_HYPER_V_SETTINGS_H_
#define DRIVERS_HYPER_V_SETTINGS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/guest_options.h"
#include "drivers/hypervisor/tool_hosts.h"
#include "drivers/sdk/flags.h"
#include "drivers/sdk/options.h"

namespace machine::driver::hyperv {

/// Every flag may be spelled --hyperv-… as well.
inline constexpr hypervisor::FlagPrefix kPrefix = {"hyper-v", "HYPERV", "hyperv"};
inline constexpr absl::string_view kImageFlag = "hyper-v-image";
inline constexpr absl::string_view kDiskFlag = "hyper-v-disk-size";
inline constexpr absl::string_view kSwitchFlag = "hyper-v-virtual-switch";

/// What a machine is to be.
struct Settings {
  hypervisor::HostAccess host;
  hypervisor::GuestOptions guest;
  int64_t memory_mib = 0;
  bool dynamic_memory = true;
  /// -1 for as many as the host has.
  int64_t cpus = 0;
  int64_t disk_mib = 0;
  /// Empty for the first found.
  std::string virtual_switch;
  /// Twelve hexadecimal digits; empty for one computed from the machine's uid.
  std::string mac;
  /// 0 for none.
  int64_t vlan = 0;
};

Flags HypervFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);

/// Those that cannot change while the machine lives, as one line of JSON.
std::string FixedSettings(const Settings& settings);

}  // namespace machine::driver::hyperv

#endif  // DRIVERS_HYPER_V_SETTINGS_H_
