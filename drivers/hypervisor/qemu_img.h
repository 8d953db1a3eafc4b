#ifndef DRIVERS_HYPERVISOR_QEMU_IMG_H_
#define DRIVERS_HYPERVISOR_QEMU_IMG_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "drivers/hypervisor/disk_format.h"
#include "drivers/hypervisor/tool_host.h"

namespace machine::driver::hypervisor {

/// Converts the image at `from` into a new one in `to_format` ("vmdk", "vdi") by qemu-img of that
/// host. Errors: FAILED_PRECONDITION when it is not installed there, when the image refers to
/// another file (whose contents the guest could see), or with its words.
absl::Status ConvertImage(ToolHost& host, common::CallScope& call, const std::string& from,
                          DiskFormat format, const std::string& to_format, const std::string& to);

}  // namespace machine::driver::hypervisor

#endif  // DRIVERS_HYPERVISOR_QEMU_IMG_H_
