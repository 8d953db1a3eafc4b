#include "drivers/qemu/settings.h"

#include <arpa/inet.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/hypervisor/guest_options.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

using Json = nlohmann::ordered_json;

constexpr absl::string_view kCpusFlag = "qemu-cpus";
constexpr absl::string_view kCacheFlag = "qemu-cache-mode";
constexpr absl::string_view kSshUserFlag = "qemu-ssh-user";
constexpr absl::string_view kUserDataFlag = "qemu-userdata";
constexpr absl::string_view kUserDataTextFlag = "qemu-userdata-text";
constexpr int64_t kMaxMib = int64_t{1} << 30;
// As the names of interfaces in Linux, without the end.
constexpr size_t kMaxInterfaceName = 15;
constexpr int kMaxPort = 65535;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// Letters, digits and `others`.
bool IsWord(absl::string_view text, absl::string_view others) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && !absl::StrContains(others, c)) {
      return false;
    }
  }
  return !text.empty();
}

bool ReadPort(absl::string_view text, int* port) {
  return absl::SimpleAtoi(text, port) && *port >= 1 && *port <= kMaxPort;
}

absl::StatusOr<Forward> ReadForward(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  Forward forward;
  if (parts.size() == 2 && ReadPort(parts[0], &forward.host) &&
      ReadPort(parts[1], &forward.guest)) {
    return forward;
  }
  return BadOption(kForwardFlag,
                   absl::StrCat("\"", text, "\" is not HOSTPORT:GUESTPORT, such as 8080:80"));
}

absl::Status CheckNetwork(const Settings& settings) {
  for (const auto& [flag, name] :
       {std::pair(kBridgeFlag, settings.bridge), std::pair(kTapFlag, settings.tap)}) {
    if (!name.empty() && (name.size() > kMaxInterfaceName || !IsWord(name, "._-"))) {
      return BadOption(flag, absl::StrCat("\"", name, "\" is no name of a network interface"));
    }
  }
  if (!settings.bridge.empty() && !settings.tap.empty()) {
    return BadOption(kTapFlag, absl::StrCat("and --", kBridgeFlag, " exclude each other"));
  }
  in_addr address;
  if (inet_pton(AF_INET, settings.address.c_str(), &address) != 1 || address.s_addr == INADDR_ANY) {
    return BadOption(kAddressFlag, absl::StrCat("\"", settings.address,
                                                "\" is not one IPv4 address of this host"));
  }
  if (!settings.forwards_ports() &&
      (settings.ssh_port != 0 || settings.engine_port != 0 || !settings.forwards.empty())) {
    return BadOption(settings.bridge.empty() ? kTapFlag : kBridgeFlag,
                     "the machine has an address of its own then, and no ports are forwarded");
  }
  std::set<int> taken;
  for (const int port : {settings.ssh_port, settings.engine_port}) {
    if (port != 0 && !taken.insert(port).second) {
      return BadOption(kEnginePortFlag, absl::StrCat("port ", port, " is given twice"));
    }
  }
  for (const Forward& forward : settings.forwards) {
    if (!taken.insert(forward.host).second) {
      return BadOption(kForwardFlag, absl::StrCat("port ", forward.host, " is given twice"));
    }
  }
  return absl::OkStatus();
}

Json ToJson(const Settings& settings) {
  Json json = {
      {"qemu-image", settings.image},
      {"qemu-image-checksum", settings.checksum},
      {"qemu-cpus", settings.cpus},
      {"qemu-memory", settings.memory_mib},
      {"qemu-disk-size", settings.disk_mib},
      {"qemu-firmware", settings.firmware},
      {"qemu-bridge", settings.bridge},
      {"qemu-tap", settings.tap},
      {"qemu-address", settings.address},
      {"qemu-ssh-port", settings.ssh_port},
      {"qemu-engine-port", settings.engine_port},
      {"qemu-ssh-user", settings.ssh_user},
      // May hold secrets, and be long.
      {"qemu-userdata",
       settings.user_data.empty() ? std::string() : common::Sha256Hex(settings.user_data)}};
  json["qemu-forward"] = Json::array();
  for (const Forward& forward : settings.forwards) {
    json["qemu-forward"].push_back(absl::StrCat(forward.host, ":", forward.guest));
  }
  json["qemu-share"] = Json::array();
  for (const Share& share : settings.shares) {
    json["qemu-share"].push_back(hypervisor::ShareText(share));
  }
  return json;
}

}  // namespace

Flags QemuFlags() {
  return Flags()
      .String(kImageFlag)
      .Usage(
          "Disk image with cloud-init: absolute path on the driver's host, or http, https or file "
          "URL (default: the image that deploy/hostimage/build-disk.sh makes)")
      .Env("MACHINE_QEMU_IMAGE")
      .String(kChecksumFlag)
      .Usage("sha256:HEX or sha512:HEX of the image, or the URL of a list such as SHA512SUMS")
      .Env("MACHINE_QEMU_IMAGE_CHECKSUM")
      .Int(kCpusFlag)
      .Alias("qemu-cpu-count")
      .Usage("Number of CPUs")
      .Env("MACHINE_QEMU_CPUS")
      .Default(int64_t{2})
      .Range(1, 255)
      .Int(kMemoryFlag)
      .Usage("Memory")
      .Env("MACHINE_QEMU_MEMORY")
      .Unit("MiB")
      .Default(int64_t{1024})
      .Range(128, kMaxMib)
      .Int(kDiskFlag)
      .Usage("Size of the disk; takes up only what is written")
      .Env("MACHINE_QEMU_DISK_SIZE")
      .Unit("MiB")
      .Default(int64_t{20000})
      .Range(256, kMaxMib)
      .String(kAcceleratorFlag)
      .Usage("kvm, tcg (software emulation, many times slower), or auto for kvm where it works")
      .Env("MACHINE_QEMU_ACCELERATOR")
      .Default("auto")
      .OneOf({"auto", "kvm", "tcg"})
      .String(kFirmwareFlag)
      .Usage("bios, uefi, or the absolute path of a file with UEFI code")
      .Env("MACHINE_QEMU_FIRMWARE")
      .Default("bios")
      .String(kBridgeFlag)
      .Alias("qemu-network-bridge")
      .Usage("Bridge of the driver's host to connect the machine to, by qemu-bridge-helper")
      .Env("MACHINE_QEMU_BRIDGE")
      .String(kTapFlag)
      .Usage("Tap interface of the driver's host, made for the machine, to connect it to")
      .Env("MACHINE_QEMU_TAP")
      .String(kAddressFlag)
      .Usage("Address of the driver's host at which the machine's ports are")
      .Env("MACHINE_QEMU_ADDRESS")
      .Default("127.0.0.1")
      .Int(kSshPortFlag)
      .Usage("Port there that leads to ssh (0: a free one)")
      .Env("MACHINE_QEMU_SSH_PORT")
      .Default(int64_t{0})
      .Range(0, kMaxPort)
      .Int(kEnginePortFlag)
      .Usage("Port there that leads to the engine, which listens on the same one (0: a free one)")
      .Env("MACHINE_QEMU_ENGINE_PORT")
      .Default(int64_t{0})
      .Range(0, kMaxPort)
      .StringList(kForwardFlag)
      .Usage("HOSTPORT:GUESTPORT of another port to forward, such as 8080:80")
      .Env("MACHINE_QEMU_FORWARD")
      .StringList(kShareFlag)
      .Usage("/source:/target[:ro], a folder of the driver's host to mount in the machine by 9p")
      .Env("MACHINE_QEMU_SHARE")
      .String(kCacheFlag)
      .Usage("How writes to the disk are cached; unsafe is quick, and lost with the host's power")
      .Env("MACHINE_QEMU_CACHE_MODE")
      .Default("writeback")
      .OneOf({"writeback", "none", "writethrough", "unsafe"})
      .String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("MACHINE_QEMU_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kSshUserFlag)
      .Alias("qemu-sshuser")
      .Usage("User to make in the machine and to log in as, with sudo")
      .Env("MACHINE_QEMU_SSH_USER")
      .Default("machine");
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.image = options.GetString(kImageFlag);
  settings.checksum = options.GetString(kChecksumFlag);
  DM_RETURN_IF_ERROR(hypervisor::CheckImageSource(
      {.url = settings.image, .checksum = settings.checksum}, kImageFlag, kChecksumFlag));
  settings.cpus = options.GetInt(kCpusFlag);
  settings.memory_mib = options.GetInt(kMemoryFlag);
  settings.disk_mib = options.GetInt(kDiskFlag);
  settings.accelerator = options.GetString(kAcceleratorFlag);
  settings.firmware = options.GetString(kFirmwareFlag);
  if (settings.firmware != "bios" && settings.firmware != "uefi" &&
      !absl::StartsWith(settings.firmware, "/")) {
    return BadOption(kFirmwareFlag, absl::StrCat("\"", settings.firmware,
                                                 "\" is not bios, uefi or an absolute path"));
  }
  settings.bridge = options.GetString(kBridgeFlag);
  settings.tap = options.GetString(kTapFlag);
  settings.address = options.GetString(kAddressFlag);
  settings.ssh_port = static_cast<int>(options.GetInt(kSshPortFlag));
  settings.engine_port = static_cast<int>(options.GetInt(kEnginePortFlag));
  for (const std::string& text : options.GetList(kForwardFlag)) {
    DM_ASSIGN_OR_RETURN(settings.forwards.emplace_back(), ReadForward(text));
  }
  DM_RETURN_IF_ERROR(CheckNetwork(settings));
  for (const std::string& text : options.GetList(kShareFlag)) {
    DM_ASSIGN_OR_RETURN(settings.shares.emplace_back(), hypervisor::ReadShare(text, kShareFlag));
  }
  settings.cache_mode = options.GetString(kCacheFlag);
  settings.ssh_user = options.GetString(kSshUserFlag);
  DM_RETURN_IF_ERROR(hypervisor::CheckGuestUser(settings.ssh_user, kSshUserFlag));
  settings.user_data = options.GetString(kUserDataTextFlag);
  return settings;
}

std::string FixedSettings(const Settings& settings) { return Dump(ToJson(settings)); }

absl::Status CheckSameSettings(absl::string_view uid, absl::string_view made,
                               const Settings& settings) {
  return hypervisor::CheckSameSettings(uid, made, FixedSettings(settings));
}

}  // namespace machine::driver::qemu
