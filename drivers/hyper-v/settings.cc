#include "drivers/hyper-v/settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::hyperv {
namespace {

constexpr absl::string_view kIsoUrlFlag = "hyper-v-boot2docker-url";
constexpr absl::string_view kIsoPathFlag = "hyper-v-boot2docker-location";
constexpr absl::string_view kMemoryFlag = "hyper-v-memory";
constexpr absl::string_view kStaticMemoryFlag = "hyper-v-disable-dynamic-memory";
constexpr absl::string_view kCpuFlag = "hyper-v-cpu-count";
constexpr absl::string_view kMacFlag = "hyper-v-static-macaddress";
constexpr absl::string_view kVlanFlag = "hyper-v-vlan-id";
// Of a machine of generation 2.
constexpr int64_t kMaxCpus = 1024;
constexpr int64_t kMaxMemoryMib = int64_t{12} << 20;
constexpr int64_t kMaxDiskMib = int64_t{64} << 20;
constexpr int64_t kMemoryStep = 2;
constexpr int64_t kMaxVlan = 4094;
constexpr size_t kMacDigits = 12;

// Raw, as it needs no tool to become a VHD; with NoCloud, UEFI and Hyper-V's drivers.
constexpr char kDefaultImage[] =
    "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.raw";
constexpr char kDefaultChecksums[] =
    "https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS";

absl::StatusOr<std::string> ReadMac(absl::string_view text) {
  std::string digits = absl::AsciiStrToUpper(text);
  digits.erase(
      std::remove_if(digits.begin(), digits.end(), [](char c) { return c == ':' || c == '-'; }),
      digits.end());
  if (digits.empty()) return digits;
  // The lowest bit of the first byte is for groups.
  const bool good = digits.size() == kMacDigits &&
                    digits.find_first_not_of("0123456789ABCDEF") == std::string::npos &&
                    absl::string_view("02468ACE").find(digits[1]) != absl::string_view::npos;
  if (good) return digits;
  return BadOption(kMacFlag, absl::StrCat("\"", text, "\" is no hardware address"));
}

}  // namespace

Flags HypervFlags() {
  Flags flags;
  flags.String(kIsoUrlFlag)
      .Alias("hyperv-boot2docker-url")
      .Usage("URL of a boot2docker ISO")
      .Env("HYPERV_BOOT2DOCKER_URL")
      .DeprecatedBy("boot2docker is not maintained; see --hyper-v-image")
      .String(kIsoPathFlag)
      .Alias("hyperv-boot2docker-location")
      .Usage("Path of a boot2docker ISO")
      .DeprecatedBy("boot2docker is not maintained; see --hyper-v-image")
      .String(kSwitchFlag)
      .Alias("hyperv-virtual-switch")
      .Usage(
          "Name of the virtual switch (default: Default Switch, else the first external one, else "
          "the first)")
      .Env("HYPERV_VIRTUAL_SWITCH")
      .Int(kDiskFlag)
      .Alias("hyperv-disk-size")
      .Usage("Size of the disk; takes up only what is written")
      .Env("HYPERV_DISK_SIZE")
      .Unit("MiB")
      .Default(int64_t{20000})
      .Range(256, kMaxDiskMib)
      .Int(kMemoryFlag)
      .Alias("hyperv-memory")
      .Usage("Memory at the start, even; it is dynamic")
      .Env("HYPERV_MEMORY")
      .Unit("MiB")
      .Default(int64_t{1024})
      .Range(128, kMaxMemoryMib)
      .Bool(kStaticMemoryFlag)
      .Alias("hyperv-disable-dynamic-memory")
      .Usage("Keep the memory as it is at the start")
      .Env("HYPERV_DISABLE_DYNAMIC_MEMORY")
      .Int(kCpuFlag)
      .Alias("hyperv-cpu-count")
      .Usage("Number of CPUs (-1: as many as the host has)")
      .Env("HYPERV_CPU_COUNT")
      .Default(int64_t{1})
      .Range(-1, kMaxCpus);
  hypervisor::AddGuestFlags(flags, kPrefix,
                            "Disk image with cloud-init that boots by UEFI (VHDX, VHD or raw): "
                            "absolute path on Hyper-V's "
                            "host, or http or https URL (default: Debian 12)");
  flags.String(kMacFlag)
      .Alias("hyperv-static-macaddress")
      .Usage("Hardware address of the network interface (default: computed)")
      .Env("HYPERV_STATIC_MACADDRESS")
      .Int(kVlanFlag)
      .Alias("hyperv-vlan-id")
      .Usage("VLAN of the network interface (0: none)")
      .Env("HYPERV_VLAN_ID")
      .Default(int64_t{0})
      .Range(0, kMaxVlan);
  hypervisor::AddHostFlags(flags, kPrefix, "Hyper-V and an OpenSSH server");
  return flags;
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  for (const absl::string_view flag : {kIsoUrlFlag, kIsoPathFlag}) {
    if (options.GetString(flag).empty()) continue;
    return BadOption(flag,
                     absl::StrCat("boot2docker is not maintained: leave it out for Debian, or "
                                  "give a cloud image by --",
                                  kImageFlag));
  }
  Settings settings;
  DM_ASSIGN_OR_RETURN(settings.host, hypervisor::ReadHostAccess(options, kPrefix));
  DM_ASSIGN_OR_RETURN(settings.guest, hypervisor::ReadGuestOptions(options, kPrefix));
  if (settings.guest.image.url.empty()) {
    settings.guest.image = {.url = kDefaultImage, .checksum = kDefaultChecksums};
  }
  settings.memory_mib = options.GetInt(kMemoryFlag);
  if (settings.memory_mib % kMemoryStep != 0) return BadOption(kMemoryFlag, "must be even");
  settings.dynamic_memory = !options.GetBool(kStaticMemoryFlag);
  settings.cpus = options.GetInt(kCpuFlag);
  if (settings.cpus == 0)
    return BadOption(kCpuFlag, "must be at least 1, or -1 for all of the host");
  settings.disk_mib = options.GetInt(kDiskFlag);
  settings.virtual_switch = options.GetString(kSwitchFlag);
  DM_ASSIGN_OR_RETURN(settings.mac, ReadMac(options.GetString(kMacFlag)));
  settings.vlan = options.GetInt(kVlanFlag);
  return settings;
}

std::string FixedSettings(const Settings& settings) {
  const nlohmann::ordered_json json = {
      {std::string(kImageFlag), settings.guest.image.url},
      {"hyper-v-image-checksum", settings.guest.image.checksum},
      {std::string(kMemoryFlag), settings.memory_mib},
      {std::string(kStaticMemoryFlag), !settings.dynamic_memory},
      {std::string(kCpuFlag), settings.cpus},
      {std::string(kDiskFlag), settings.disk_mib},
      {std::string(kSwitchFlag), settings.virtual_switch},
      {std::string(kMacFlag), settings.mac},
      {std::string(kVlanFlag), settings.vlan},
      {"hyper-v-ssh-user", settings.guest.ssh_user},
      // May hold secrets, and be long.
      {"hyper-v-userdata", settings.guest.user_data.empty()
                               ? std::string()
                               : common::Sha256Hex(settings.guest.user_data)}};
  return json.dump(-1, ' ', /*ensure_ascii=*/true,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace machine::driver::hyperv
