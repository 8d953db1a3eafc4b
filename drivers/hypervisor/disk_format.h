#ifndef DRIVERS_HYPERVISOR_DISK_FORMAT_H_
#define DRIVERS_HYPERVISOR_DISK_FORMAT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::hypervisor {

enum class DiskFormat { kRaw, kQcow2, kVmdk, kVdi, kVhd, kVhdx };

/// The format of an image that begins with `head`, its first 512 bytes: by the signatures of the
/// formats, not by a name. What has none is raw.
DiskFormat FormatOf(absl::string_view head);

/// The same of the file at `path` on a host with a POSIX shell's tools.
absl::StatusOr<DiskFormat> FormatOfFile(ToolHost& host, common::CallScope& call,
                                        const std::string& path);

/// As qemu-img calls it: "raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx".
absl::string_view FormatName(DiskFormat format);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_DISK_FORMAT_H_
