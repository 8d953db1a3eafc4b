#include "drivers/qemu/base_images.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMib = int64_t{1} << 20;
constexpr absl::Duration kLongestCopy = absl::Minutes(20);
constexpr size_t kDigits = 16;

}  // namespace

BaseImages::BaseImages(hypervisor::ToolHost& host, std::string folder, std::string default_image)
    : host_(host),
      links_(folder + "/images"),
      default_image_(std::move(default_image)),
      store_(host, folder + "/cache") {}

std::string BaseImages::SourceOf(const Settings& settings) const {
  return settings.image.empty() ? default_image_ : settings.image;
}

absl::StatusOr<BaseImages::Facts> BaseImages::Look(common::CallScope& call,
                                                   const Settings& settings,
                                                   const std::string& path) {
  DM_ASSIGN_OR_RETURN(
      const std::string text,
      hypervisor::RunTool(host_, call, {"qemu-img", "info", "--output=json", "--", path}));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  Facts facts;
  if (json.is_object()) {
    facts.format = json.value("format", "");
    facts.size_bytes = json.value("virtual-size", int64_t{0});
  }
  if ((facts.format != "qcow2" && facts.format != "raw") || facts.size_bytes <= 0) {
    return BadOption(kImageFlag, absl::StrCat(path, " is in format \"", facts.format,
                                              "\"; convert it to qcow2 by qemu-img convert"));
  }
  // By such a reference an image from elsewhere could show files of this host to its guest.
  const bool refers = json.contains("backing-filename") || absl::StrContains(text, "\"data-file\"");
  if (refers) {
    return BadOption(kImageFlag, absl::StrCat(path,
                                              " refers to another file; join them by "
                                              "qemu-img convert"));
  }
  if (facts.size_bytes > settings.disk_mib * kMib) {
    return BadOption(kDiskFlag, absl::StrCat("is less than the image has, which is ",
                                             (facts.size_bytes + kMib - 1) / kMib, " MiB"));
  }
  return facts;
}

absl::Status BaseImages::Check(common::CallScope& call, const Settings& settings) {
  const std::string source = SourceOf(settings);
  if (!absl::StartsWith(source, "/")) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const bool there, hypervisor::Exists(host_, call, source));
  if (there) return Look(call, settings, source).status();
  if (!settings.image.empty()) {
    return PreCreateCheckFailed(
        absl::StrCat("--", kImageFlag, ": there is no ", source, " on the driver's host"));
  }
  return PreCreateCheckFailed(absl::StrCat(
      "there is no image to make a machine from: give a cloud image by --", kImageFlag,
      " (a path or URL), or build the default one: sudo deploy/hostimage/build-disk.sh --output ",
      source));
}

absl::StatusOr<std::string> BaseImages::Fetch(common::CallScope& call, const Settings& settings) {
  return store_.Fetch(call, {.url = SourceOf(settings), .checksum = settings.checksum});
}

absl::Status BaseImages::Keep(common::CallScope& call, const Settings& settings,
                              const std::string& path, MachineFile& file) {
  DM_ASSIGN_OR_RETURN(const Facts facts, Look(call, settings, path));
  file.base_format = facts.format;
  file.base_image = path;
  if (path != SourceOf(settings)) return absl::OkStatus();  // In the cache.
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return absl::ErrnoToStatus(errno, path);
  const std::string id =
      absl::StrCat(path, "\n", status.st_dev, " ", status.st_ino, " ", status.st_size, " ",
                   status.st_mtim.tv_sec, ".", status.st_mtim.tv_nsec);
  file.base_image = absl::StrCat(links_, "/", common::Sha256Hex(id).substr(0, kDigits));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(links_));
  std::error_code error;
  if (fs::exists(file.base_image, error)) return absl::OkStatus();
  fs::create_hard_link(path, file.base_image, error);
  if (!error || error == std::errc::file_exists) return absl::OkStatus();
  call.Progress("Copying the image...");
  const std::string part = file.base_image + ".part";
  DM_RETURN_IF_ERROR(hypervisor::RunTool(
                         host_, call, {"cp", "--reflink=auto", "--sparse=always", "--", path, part},
                         {.timeout = kLongestCopy})
                         .status());
  fs::rename(part, file.base_image, error);
  return error ? absl::ErrnoToStatus(error.value(), file.base_image) : absl::OkStatus();
}

void BaseImages::Sweep(MachineFolders& folders) {
  folders.Sweep(links_, [](const std::string& path) {
    std::error_code ignored;
    fs::remove(path, ignored);
  });
}

}  // namespace machine::driver::qemu
