#include "drivers/vmwarefusion/settings.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarefusion {
namespace {

constexpr absl::string_view kIsoFlag = "vmwarefusion-boot2docker-url";
constexpr absl::string_view kCpuFlag = "vmwarefusion-cpu-count";
constexpr absl::string_view kMemoryFlag = "vmwarefusion-memory-size";
constexpr absl::string_view kNetworkFlag = "vmwarefusion-network";
constexpr absl::string_view kUiFlag = "vmwarefusion-ui-type";
constexpr absl::string_view kPasswordFlag = "vmwarefusion-ssh-password";
constexpr absl::string_view kConfigDriveFlag = "vmwarefusion-configdrive-url";
constexpr absl::string_view kNoShareFlag = "vmwarefusion-no-share";
// Of VMware.
constexpr int64_t kMaxCpus = 32;
constexpr int64_t kMaxMemoryMib = 128 << 10;
constexpr int64_t kMaxDiskMib = int64_t{8} << 20;
constexpr int64_t kMemoryStep = 4;

}  // namespace

Flags FusionFlags() {
  Flags flags;
  flags.String(kIsoFlag)
      .Usage("URL of a boot2docker image")
      .Env("FUSION_BOOT2DOCKER_URL")
      .DeprecatedBy("boot2docker is not maintained; see --vmwarefusion-image")
      .Int(kCpuFlag)
      .Usage("Number of CPUs (-1: as many as the host has)")
      .Env("FUSION_CPU_COUNT")
      .Default(int64_t{1})
      .Range(-1, kMaxCpus)
      .Int(kMemoryFlag)
      .Usage("Memory, a multiple of 4")
      .Env("FUSION_MEMORY_SIZE")
      .Unit("MiB")
      .Default(int64_t{1024})
      .Range(128, kMaxMemoryMib)
      .Int(kDiskFlag)
      .Usage("Size of the disk; takes up only what is written")
      .Env("FUSION_DISK_SIZE")
      .Unit("MiB")
      .Default(int64_t{20000})
      .Range(256, kMaxDiskMib);
  hypervisor::AddGuestFlags(
      flags, kPrefix,
      "Disk image with cloud-init for the host's architecture (VMDK; others where qemu-img is "
      "there): absolute path on VMware's host, or http, https or file URL (default: Ubuntu 24.04)");
  flags.String(kNetworkFlag)
      .Usage("nat, bridged or hostonly; auto: nat on the driver's host, bridged elsewhere")
      .Env("FUSION_NETWORK")
      .Default("auto")
      .OneOf({"auto", "nat", "bridged", "hostonly"})
      .String(kUiFlag)
      .Usage("Whether VMware shows the machine")
      .Env("FUSION_UI_TYPE")
      .Default("nogui")
      .OneOf({"nogui", "gui"})
      .String(kPasswordFlag)
      .Usage("Password of the account")
      .Env("FUSION_SSH_PASSWORD")
      .Secret()
      .DeprecatedBy("the account has the machine's key and no password")
      .String(kConfigDriveFlag)
      .Usage("URL of a config drive")
      .Env("FUSION_CONFIGDRIVE_URL")
      .DeprecatedBy("the machine has a CD of its own; see --vmwarefusion-userdata")
      .Bool(kNoShareFlag)
      .Usage("Share no folder; none is shared")
      .Env("FUSION_NO_SHARE");
  hypervisor::AddHostFlags(flags, kPrefix, "VMware Fusion or Workstation");
  return flags;
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  if (!options.GetString(kIsoFlag).empty()) {
    return BadOption(kIsoFlag,
                     absl::StrCat("boot2docker is not maintained: leave it out for Ubuntu, "
                                  "or give a cloud image by --",
                                  kImageFlag));
  }
  if (!options.GetSecret(kPasswordFlag).empty()) {
    return BadOption(kPasswordFlag,
                     "the account has the machine's key and no password: leave it out");
  }
  if (!options.GetString(kConfigDriveFlag).empty()) {
    return BadOption(kConfigDriveFlag, "give user data by --vmwarefusion-userdata instead");
  }
  Settings settings;
  DM_ASSIGN_OR_RETURN(settings.host, hypervisor::ReadHostAccess(options, kPrefix));
  DM_ASSIGN_OR_RETURN(settings.guest, hypervisor::ReadGuestOptions(options, kPrefix));
  settings.cpus = options.GetInt(kCpuFlag);
  if (settings.cpus == 0)
    return BadOption(kCpuFlag, "must be at least 1, or -1 for all of the host");
  settings.memory_mib = options.GetInt(kMemoryFlag);
  if (settings.memory_mib % kMemoryStep != 0) {
    return BadOption(kMemoryFlag, absl::StrCat("must be a multiple of ", kMemoryStep));
  }
  settings.disk_mib = options.GetInt(kDiskFlag);
  settings.network = options.GetString(kNetworkFlag);
  if (settings.network == "auto") settings.network = settings.host.local() ? "nat" : "bridged";
  settings.ui = options.GetString(kUiFlag);
  return settings;
}

std::string FixedSettings(const Settings& settings) {
  const nlohmann::ordered_json json = {
      {std::string(kImageFlag), settings.guest.image.url},
      {"vmwarefusion-image-checksum", settings.guest.image.checksum},
      {std::string(kCpuFlag), settings.cpus},
      {std::string(kMemoryFlag), settings.memory_mib},
      {std::string(kDiskFlag), settings.disk_mib},
      {std::string(kNetworkFlag), settings.network},
      {"vmwarefusion-ssh-user", settings.guest.ssh_user},
      // May hold secrets, and be long.
      {"vmwarefusion-userdata", settings.guest.user_data.empty()
                                    ? std::string()
                                    : common::Sha256Hex(settings.guest.user_data)}};
  return json.dump(-1, ' ', /*ensure_ascii=*/true,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace machine::driver::vmwarefusion
