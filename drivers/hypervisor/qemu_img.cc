#include "drivers/hypervisor/qemu_img.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver::hypervisor {
namespace {

constexpr absl::Duration kLongestCopy = absl::Minutes(30);
constexpr int kNoSuchProgram = 127;

}  // namespace

absl::Status ConvertImage(ToolHost& host, common::CallScope& call, const std::string& from,
                          DiskFormat format, const std::string& to_format, const std::string& to) {
  const std::string from_format(FormatName(format));
  const absl::StatusOr<ToolOutput> looked =
      host.Run(call, {"qemu-img", "info", "--output=json", "-f", from_format, from});
  if (absl::IsNotFound(looked.status()) || (looked.ok() && looked->exit_code == kNoSuchProgram)) {
    return absl::FailedPreconditionError(
        absl::StrCat(from, " is in format ", from_format, ", and ", host.name(),
                     " has no qemu-img to convert it: install qemu-img there, or convert the image "
                     "by qemu-img convert -O ",
                     to_format));
  }
  DM_RETURN_IF_ERROR(looked.status());
  DM_RETURN_IF_ERROR(ToolError("qemu-img info", *looked));
  const nlohmann::json info = nlohmann::json::parse(looked->out, nullptr, false);
  if (!info.is_object() || info.contains("backing-filename") ||
      absl::StrContains(looked->out, "\"data-file\"")) {
    return absl::FailedPreconditionError(
        absl::StrCat(from, " refers to another file; join them by qemu-img convert"));
  }
  return RunTool(host, call, {"qemu-img", "convert", "-f", from_format, "-O", to_format, from, to},
                 {.timeout = kLongestCopy})
      .status();
}

}  // namespace machine::driver::hypervisor
