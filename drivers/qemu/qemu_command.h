// The command line that starts a machine.
#ifndef DRIVERS_QEMU_QEMU_COMMAND_H_
#define DRIVERS_QEMU_QEMU_COMMAND_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "drivers/qemu/machine_folder.h"
#include "drivers/qemu/settings.h"

namespace machine::driver::qemu {

// Files in a machine's folder.
inline constexpr absl::string_view kDiskFile = "disk.qcow2";
inline constexpr absl::string_view kSeedFile = "seed.iso";
inline constexpr absl::string_view kVariablesFile = "uefi-variables.fd";
inline constexpr absl::string_view kPidFile = "pid";

/// Files of a UEFI firmware.
struct Firmware {
  std::string code;
  /// Template of the machine's own variables; empty for code that needs none.
  std::string variables;
};

/// Arguments by which QEMU goes into the background once the machine runs. To be run in `folder`,
/// the machine's: the sockets' paths are relative to it, because those must be short.
std::vector<std::string> QemuCommand(const MachineFile& machine, const Settings& settings,
                                     const std::string& folder, absl::string_view accelerator,
                                     const std::optional<Firmware>& firmware);

/// The tag of the `index`-th share, by which the guest mounts it.
std::string ShareTag(size_t index);

}  // namespace machine::driver::qemu

#endif  // DRIVERS_QEMU_QEMU_COMMAND_H_
