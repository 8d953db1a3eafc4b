// The driver's create flags, and their values in a form to work with.
#ifndef DRIVERS_QEMU_SETTINGS_H_
#define DRIVERS_QEMU_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/guest_options.h"
#include "drivers/sdk/flags.h"
#include "drivers/sdk/options.h"

namespace machine::driver::qemu {

inline constexpr absl::string_view kImageFlag = "qemu-image";
inline constexpr absl::string_view kChecksumFlag = "qemu-image-checksum";
inline constexpr absl::string_view kMemoryFlag = "qemu-memory";
inline constexpr absl::string_view kDiskFlag = "qemu-disk-size";
inline constexpr absl::string_view kAcceleratorFlag = "qemu-accelerator";
inline constexpr absl::string_view kFirmwareFlag = "qemu-firmware";
inline constexpr absl::string_view kBridgeFlag = "qemu-bridge";
inline constexpr absl::string_view kTapFlag = "qemu-tap";
inline constexpr absl::string_view kAddressFlag = "qemu-address";
inline constexpr absl::string_view kSshPortFlag = "qemu-ssh-port";
inline constexpr absl::string_view kEnginePortFlag = "qemu-engine-port";
inline constexpr absl::string_view kForwardFlag = "qemu-forward";
inline constexpr absl::string_view kShareFlag = "qemu-share";

/// A port of the host that leads to one of the guest.
struct Forward {
  int host = 0;
  int guest = 0;
};

using hypervisor::Share;

/// What a machine is to be.
struct Settings {
  /// URL or absolute path; empty for the driver's default.
  std::string image;
  std::string checksum;
  int64_t cpus = 0;
  int64_t memory_mib = 0;
  int64_t disk_mib = 0;
  /// "auto", "kvm" or "tcg".
  std::string accelerator;
  /// "bios", "uefi", or the absolute path of a file with UEFI code.
  std::string firmware;
  /// At most one of the two; with neither the network is QEMU's own.
  std::string bridge;
  std::string tap;
  /// The rest of the network only without them. Address of the host to forward ports at.
  std::string address;
  /// 0 for a free one.
  int ssh_port = 0;
  int engine_port = 0;
  std::vector<Forward> forwards;
  std::vector<Share> shares;
  std::string cache_mode;
  std::string ssh_user;
  /// For cloud-init, beside the driver's own.
  std::string user_data;

  bool forwards_ports() const { return bridge.empty() && tap.empty(); }
};

Flags QemuFlags();

/// Reads options. Errors: BadOption().
absl::StatusOr<Settings> ReadSettings(const Options& options);

/// Those that cannot change while the machine lives, as JSON text.
std::string FixedSettings(const Settings& settings);

/// InstanceDiffers() when `made`, a text of FixedSettings(), says other than `settings`.
absl::Status CheckSameSettings(absl::string_view uid, absl::string_view made,
                               const Settings& settings);

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_SETTINGS_H_
