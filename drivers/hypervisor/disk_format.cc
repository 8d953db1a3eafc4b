#include "drivers/hypervisor/disk_format.h"

#include "absl/strings/match.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

constexpr size_t kVdiSignaturePlace = 64;

}  // namespace

DiskFormat FormatOf(absl::string_view head) {
  if (absl::StartsWith(head, "QFI\xfb")) return DiskFormat::kQcow2;
  if (absl::StartsWith(head, "KDMV") || absl::StartsWith(head, "# Disk DescriptorFile")) {
    return DiskFormat::kVmdk;
  }
  if (absl::StartsWith(head, "vhdxfile")) return DiskFormat::kVhdx;
  // A fixed VHD has its signature at its end only, and its data as raw.
  if (absl::StartsWith(head, "conectix")) return DiskFormat::kVhd;
  if (head.size() > kVdiSignaturePlace &&
      absl::StartsWith(head.substr(kVdiSignaturePlace), "\x7f\x10\xda\xbe")) {
    return DiskFormat::kVdi;
  }
  return DiskFormat::kRaw;
}

absl::StatusOr<DiskFormat> FormatOfFile(ToolHost& host, common::CallScope& call,
                                        const std::string& path) {
  DM_ASSIGN_OR_RETURN(const std::string head, RunTool(host, call, {"head", "-c", "512", path}));
  return FormatOf(head);
}

absl::string_view FormatName(DiskFormat format) {
  switch (format) {
    case DiskFormat::kQcow2:
      return "qcow2";
    case DiskFormat::kVmdk:
      return "vmdk";
    case DiskFormat::kVdi:
      return "vdi";
    case DiskFormat::kVhd:
      return "vpc";
    case DiskFormat::kVhdx:
      return "vhdx";
    case DiskFormat::kRaw:
      break;
  }
  return "raw";
}

}  // namespace machine::driver::hypervisor
