#include "drivers/virtualbox/settings.h"

#include <arpa/inet.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/errors.h"
#include "services/common/crypto/digest.h"
#include "services/common/status/status.h"

namespace machine::driver::virtualbox {
namespace {

constexpr absl::string_view kNetworkFlag = "virtualbox-network";
constexpr absl::string_view kNoDhcpFlag = "virtualbox-hostonly-no-dhcp";
constexpr absl::string_view kHostOnlyNicFlag = "virtualbox-hostonly-nictype";
constexpr absl::string_view kPromiscuousFlag = "virtualbox-hostonly-nicpromisc";
constexpr absl::string_view kNatNicFlag = "virtualbox-nat-nictype";
constexpr absl::string_view kResolverFlag = "virtualbox-host-dns-resolver";
constexpr absl::string_view kNoProxyFlag = "virtualbox-no-dns-proxy";
constexpr absl::string_view kUiFlag = "virtualbox-ui-type";
constexpr absl::string_view kStopGraceFlag = "virtualbox-stop-grace";
constexpr absl::string_view kNoShareFlag = "virtualbox-no-share";
// Of VirtualBox.
constexpr int64_t kMaxCpus = 64;
constexpr int64_t kMaxMemoryMib = int64_t{2} << 20;
constexpr int64_t kMaxDiskMib = int64_t{2} << 20;
// Within the time that a whole stop may take.
constexpr int64_t kMaxStopGraceSeconds = 480;

constexpr char kDefaultImage[] =
    "https://cloud-images.ubuntu.com/releases/24.04/release/"
    "ubuntu-24.04-server-cloudimg-amd64.vmdk";
constexpr char kDefaultChecksums[] =
    "https://cloud-images.ubuntu.com/releases/24.04/release/SHA256SUMS";
constexpr char kBoot2dockerUser[] = "docker";

Flags& AddNetworkFlags(Flags& flags) {
  return flags.String(kNetworkFlag)
      .Usage(
          "hostonly: an address of its own that VirtualBox's host reaches; nat: ports of that "
          "host; auto: hostonly on the driver's host, nat elsewhere")
      .Env("VIRTUALBOX_NETWORK")
      .Default("auto")
      .OneOf({"auto", "hostonly", "nat"})
      .String(kCidrFlag)
      .Usage("The host's address on the host-only network, and its prefix")
      .Env("VIRTUALBOX_HOSTONLY_CIDR")
      .Default("192.168.59.1/24")
      .String(kHostOnlyNicFlag)
      .Usage("Kind of the host-only network interface")
      .Env("VIRTUALBOX_HOSTONLY_NIC_TYPE")
      .Default("virtio")
      .OneOf({"virtio", "82540EM", "82543GC", "82545EM", "Am79C970A", "Am79C973"})
      .String(kPromiscuousFlag)
      .Usage("Whether that interface sees what is for others")
      .Env("VIRTUALBOX_HOSTONLY_NIC_PROMISC")
      .Default("deny")
      .OneOf({"deny", "allow-vms", "allow-all"})
      .Bool(kNoDhcpFlag)
      .Usage("Make no DHCP server for the host-only network: another one is there")
      .Env("VIRTUALBOX_HOSTONLY_NO_DHCP")
      .String(kNatNicFlag)
      .Usage("Kind of the NAT network interface")
      .Env("VIRTUALBOX_NAT_NICTYPE")
      .Default("virtio")
      .OneOf({"virtio", "82540EM", "82543GC", "82545EM", "Am79C970A", "Am79C973"})
      .String(kNatAddressFlag)
      .Usage(
          "Address of VirtualBox's host at which the machine's ports are (default: 127.0.0.1 on "
          "the driver's host, all addresses elsewhere)")
      .Env("VIRTUALBOX_NAT_ADDRESS")
      .Bool(kResolverFlag)
      .Usage("Resolve names by the host's resolver")
      .Env("VIRTUALBOX_HOST_DNS_RESOLVER")
      .Bool(kNoProxyFlag)
      .Usage("Give the host's DNS servers to the machine rather than a proxy")
      .Env("VIRTUALBOX_NO_DNS_PROXY");
}

absl::StatusOr<hypervisor::Share> ReadShareFolder(const std::string& text) {
  // As the original had it: "/folder:name", seen at /name.
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  if (parts.size() == 2 && !parts[1].empty() && parts[1].front() != '/') {
    return hypervisor::ReadShare(absl::StrCat(parts[0], ":/", parts[1]), kShareFlag);
  }
  return hypervisor::ReadShare(text, kShareFlag);
}

absl::Status ReadGuest(const Options& options, Settings& settings) {
  DM_ASSIGN_OR_RETURN(settings.guest, hypervisor::ReadGuestOptions(options, kPrefix));
  settings.iso = options.GetString(kIsoFlag);
  if (settings.iso.empty()) {
    if (settings.guest.image.url.empty()) {
      settings.guest.image = {.url = kDefaultImage, .checksum = kDefaultChecksums};
    }
    return absl::OkStatus();
  }
  if (!options.GetString(kImageFlag).empty()) {
    return BadOption(kIsoFlag, absl::StrCat("and --", kImageFlag, " exclude each other"));
  }
  const bool is_url = absl::StartsWith(settings.iso, "https://") ||
                      absl::StartsWith(settings.iso, "http://") ||
                      absl::StartsWith(settings.iso, "file:///");
  if (is_url || absl::StartsWith(settings.iso, "/")) return absl::OkStatus();
  return BadOption(kIsoFlag, absl::StrCat("\"", settings.iso,
                                          "\" is no http, https or file URL and no absolute path"));
}

absl::Status ReadNetwork(const Options& options, Settings& settings) {
  const std::string& network = options.GetString(kNetworkFlag);
  settings.host_only = network == "hostonly" || (network == "auto" && settings.host.local());
  const absl::StatusOr<AddressRange> range = ParseAddressRange(options.GetString(kCidrFlag));
  if (!range.ok()) return BadOption(kCidrFlag, range.status().message());
  settings.range = *range;
  settings.no_dhcp = options.GetBool(kNoDhcpFlag);
  settings.host_only_nic = options.GetString(kHostOnlyNicFlag);
  settings.promiscuous = options.GetString(kPromiscuousFlag);
  settings.nat_nic = options.GetString(kNatNicFlag);
  settings.nat_address = options.GetString(kNatAddressFlag);
  in_addr address = {};
  if (settings.nat_address.empty() && settings.host.local()) settings.nat_address = "127.0.0.1";
  if (!settings.nat_address.empty() &&
      inet_pton(AF_INET, settings.nat_address.c_str(), &address) != 1) {
    return BadOption(kNatAddressFlag,
                     absl::StrCat("\"", settings.nat_address, "\" is no IPv4 address"));
  }
  settings.host_dns_resolver = options.GetBool(kResolverFlag);
  settings.dns_proxy = !options.GetBool(kNoProxyFlag);
  return absl::OkStatus();
}

}  // namespace

std::string Settings::ssh_user() const { return iso.empty() ? guest.ssh_user : kBoot2dockerUser; }

Flags VirtualboxFlags() {
  Flags flags;
  flags.Int(kMemoryFlag)
      .Usage("Memory")
      .Env("VIRTUALBOX_MEMORY_SIZE")
      .Unit("MiB")
      .Default(int64_t{1024})
      .Range(128, kMaxMemoryMib)
      .Int(kCpuFlag)
      .Usage("Number of CPUs (-1: as many as the host has)")
      .Env("VIRTUALBOX_CPU_COUNT")
      .Default(int64_t{1})
      .Range(-1, kMaxCpus)
      .Int(kDiskFlag)
      .Usage("Size of the disk; takes up only what is written")
      .Env("VIRTUALBOX_DISK_SIZE")
      .Unit("MiB")
      .Default(int64_t{20000})
      .Range(256, kMaxDiskMib)
      .String(kIsoFlag)
      .Usage("http, https or file URL of a boot2docker ISO to boot instead of a cloud image")
      .Env("VIRTUALBOX_BOOT2DOCKER_URL")
      .String(kImportFlag)
      .Usage("Name of a Boot2Docker VM to import")
      .Env("VIRTUALBOX_BOOT2DOCKER_IMPORT_VM")
      .DeprecatedBy("its disk works with nothing that is still made; see --virtualbox-image");
  hypervisor::AddGuestFlags(
      flags, kPrefix,
      "Disk image with cloud-init (VMDK, VDI, VHD or raw): absolute path on "
      "VirtualBox's host, or http, https or file URL (default: Ubuntu 24.04)");
  AddNetworkFlags(flags);
  flags.StringList(kShareFlag)
      .Usage("/source:/target[:ro], a folder of VirtualBox's host to mount in the machine")
      .Env("VIRTUALBOX_SHARE_FOLDER")
      .Bool(kNoShareFlag)
      .Usage("Share no folder; so it is without --virtualbox-share-folder")
      .Env("VIRTUALBOX_NO_SHARE")
      .String(kUiFlag)
      .Usage("How VirtualBox shows the machine")
      .Env("VIRTUALBOX_UI_TYPE")
      .Default("headless")
      .OneOf({"headless", "gui", "sdl", "separate"})
      .Int(kStopGraceFlag)
      .Usage("Seconds that the guest may take to shut down before it is powered off")
      .Env("VIRTUALBOX_STOP_GRACE")
      .Default(int64_t{120})
      .Range(0, kMaxStopGraceSeconds)
      .Bool(kNoVtxCheckFlag)
      .Usage("Do not check that the host's CPU virtualizes")
      .Env("VIRTUALBOX_NO_VTX_CHECK");
  hypervisor::AddHostFlags(flags, kPrefix, "VirtualBox");
  return flags;
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  if (!options.GetString(kImportFlag).empty()) {
    return BadOption(kImportFlag,
                     absl::StrCat("the system on a Boot2Docker disk gets no updates and its engine "
                                  "is too old for any client; make a new machine from --",
                                  kImageFlag,
                                  " and copy what its volumes hold, or take the VM as it is by "
                                  "--driver generic"));
  }
  DM_ASSIGN_OR_RETURN(settings.host, hypervisor::ReadHostAccess(options, kPrefix));
  DM_RETURN_IF_ERROR(ReadGuest(options, settings));
  settings.memory_mib = options.GetInt(kMemoryFlag);
  settings.cpus = options.GetInt(kCpuFlag);
  if (settings.cpus == 0)
    return BadOption(kCpuFlag, "must be at least 1, or -1 for all of the host");
  settings.disk_mib = options.GetInt(kDiskFlag);
  DM_RETURN_IF_ERROR(ReadNetwork(options, settings));
  settings.ui = options.GetString(kUiFlag);
  settings.stop_grace = absl::Seconds(options.GetInt(kStopGraceFlag));
  settings.check_vtx = !options.GetBool(kNoVtxCheckFlag);
  for (const std::string& text : options.GetList(kShareFlag)) {
    DM_ASSIGN_OR_RETURN(settings.shares.emplace_back(), ReadShareFolder(text));
  }
  if (options.GetBool(kNoShareFlag) && !settings.shares.empty()) {
    return BadOption(kNoShareFlag, absl::StrCat("and --", kShareFlag, " exclude each other"));
  }
  return settings;
}

std::string FixedSettings(const Settings& settings) {
  nlohmann::ordered_json json = {
      {"virtualbox-image", settings.iso.empty() ? settings.guest.image.url : ""},
      {"virtualbox-image-checksum", settings.iso.empty() ? settings.guest.image.checksum : ""},
      {std::string(kIsoFlag), settings.iso},
      {std::string(kMemoryFlag), settings.memory_mib},
      {std::string(kCpuFlag), settings.cpus},
      {std::string(kDiskFlag), settings.disk_mib},
      {std::string(kNetworkFlag), settings.host_only ? "hostonly" : "nat"},
      {std::string(kCidrFlag), settings.host_only ? settings.range.cidr : ""},
      {std::string(kNatAddressFlag), settings.nat_address},
      {"virtualbox-ssh-user", settings.ssh_user()},
      // May hold secrets, and be long.
      {"virtualbox-userdata", settings.guest.user_data.empty()
                                  ? std::string()
                                  : common::Sha256Hex(settings.guest.user_data)}};
  json[std::string(kShareFlag)] = nlohmann::ordered_json::array();
  for (const hypervisor::Share& share : settings.shares) {
    json[std::string(kShareFlag)].push_back(hypervisor::ShareText(share));
  }
  return json.dump(-1, ' ', /*ensure_ascii=*/true,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace machine::driver::virtualbox
