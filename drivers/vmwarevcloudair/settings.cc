#include "drivers/vmwarevcloudair/settings.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr absl::string_view kCaFileFlag = "vmwarevcloudair-ca";
constexpr absl::string_view kComputeFlag = "vmwarevcloudair-computeid";
constexpr absl::string_view kProvisionFlag = "vmwarevcloudair-provision";
constexpr absl::string_view kSshPortFlag = "vmwarevcloudair-ssh-port";
constexpr absl::string_view kDockerPortFlag = "vmwarevcloudair-docker-port";
constexpr absl::string_view kSshUserFlag = "vmwarevcloudair-ssh-user";
constexpr absl::string_view kKeyPathFlag = "vmwarevcloudair-ssh-key-path";
constexpr absl::string_view kUserDataFlag = "vmwarevcloudair-userdata";

constexpr char kEverywhere[] = "0.0.0.0/0";
// What a server takes in one property is not published; guests read no more from their host.
constexpr size_t kMaxUserDataBytes = 48 << 10;

bool IsIpv4(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](absl::string_view part) {
           uint32_t number = 0;
           return absl::SimpleAtoi(part, &number) && number <= 255;
         });
}

Flags& AddAccountFlags(Flags& flags) {
  return flags.String(kHrefFlag)
      .Usage("URL of a VMware Cloud Director; vCloud Air itself is gone")
      .Env("VCLOUDAIR_HREF")
      .String(kOrgFlag)
      .Usage("Organisation there")
      .Env("VCLOUDAIR_ORG")
      .String(kUsernameFlag)
      .Usage("User; not needed with an API token")
      .Env("VCLOUDAIR_USERNAME")
      .String(kPasswordFlag)
      .Usage("The user's password")
      .Env("VCLOUDAIR_PASSWORD")
      .Secret()
      .String(kTokenFlag)
      .Usage("API token, instead of user and password")
      .Env("VCLOUDAIR_API_TOKEN")
      .Secret()
      .String(kCaFileFlag)
      .Usage("File with the authority that signed the server's certificate, as PEM")
      .Env("VCLOUDAIR_CA")
      .ContentTo(kCaFlag)
      .String(kCaFlag)
      .Usage("That authority as text");
}

Flags& AddPlaceFlags(Flags& flags) {
  return flags.String(kComputeFlag)
      .Usage("Without effect: it told the clouds of vCloud Air apart")
      .Env("VCLOUDAIR_COMPUTEID")
      .DeprecatedBy("name the virtual data center by --vmwarevcloudair-vdcid")
      .String(kVdcFlag)
      .Usage("Virtual data center, by name (default: the only one)")
      .Env("VCLOUDAIR_VDCID")
      .String(kNetworkFlag)
      .Usage("Organisation network to attach (default: VDC-default-routed, or the only one)")
      .Env("VCLOUDAIR_ORGVDCNETWORK")
      .String(kGatewayFlag)
      .Usage(
          "Edge gateway with the public address (default: the one named as the VDC, or the only "
          "one)")
      .Env("VCLOUDAIR_EDGEGATEWAY")
      .String(kPublicIpFlag)
      .Usage("Public address of the gateway to reach the machine by (default: its own address)")
      .Env("VCLOUDAIR_PUBLICIP")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh, the engine and swarm (3376) at the public address (default: "
          "0.0.0.0/0)")
      .Env("VCLOUDAIR_OPEN_CIDR")
      .String(kCatalogFlag)
      .Usage("Catalog")
      .Env("VCLOUDAIR_CATALOG")
      .Default("Public Catalog")
      .String(kItemFlag)
      .Usage("Item of the catalog (default: its only one)")
      .Env("VCLOUDAIR_CATALOGITEM");
}

absl::Status ReadOpenCidrs(const Options& options, Settings& settings) {
  settings.open_cidrs = options.GetList(kOpenCidrFlag);
  if (settings.public_ip.empty()) {
    if (settings.open_cidrs.empty()) return absl::OkStatus();
    return BadOption(kOpenCidrFlag, absl::StrCat("goes with --", kPublicIpFlag));
  }
  for (const std::string& cidr : settings.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
    if (absl::StrContains(cidr, ':')) {
      return BadOption(kOpenCidrFlag, "the public address is one of IPv4, and so are its ranges");
    }
  }
  if (settings.open_cidrs.empty()) settings.open_cidrs = {kEverywhere};
  return absl::OkStatus();
}

}  // namespace

Flags VcloudFlags() {
  Flags flags;
  AddAccountFlags(flags);
  AddPlaceFlags(flags);
  return flags.Bool(kProvisionFlag)
      .Usage("Without effect: the engine is always installed")
      .Env("VCLOUDAIR_PROVISION")
      .DeprecatedBy("the engine is installed where it is missing")
      .Int(kCpuFlag)
      .Usage("Number of CPUs")
      .Env("VCLOUDAIR_CPU_COUNT")
      .Default(int64_t{1})
      .Range(1, 128)
      .Int(kMemoryFlag)
      .Usage("Memory")
      .Env("VCLOUDAIR_MEMORY_SIZE")
      .Unit("MiB")
      .Default(int64_t{2048})
      .Range(4, 4 << 20)
      .Int(kSshPortFlag)
      .Usage("Port of ssh, at the public address too")
      .Env("VCLOUDAIR_SSH_PORT")
      .Default(int64_t{22})
      .Range(1, 65535)
      .Int(kDockerPortFlag)
      .Usage("Port of the engine, at the public address too")
      .Env("VCLOUDAIR_DOCKER_PORT")
      .Default(int64_t{2376})
      .Range(1, 65535)
      .String(kSshUserFlag)
      .Usage("User to log in as; made by the guest customisation, with sudo")
      .Env("VCLOUDAIR_SSH_USER")
      .Default("docker")
      .String(kKeyPathFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("VCLOUDAIR_SSH_KEY_PATH")
      .SshPrivateKey()
      .String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("VCLOUDAIR_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text");
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.vdc = options.GetString(kVdcFlag);
  settings.network = options.GetString(kNetworkFlag);
  settings.gateway = options.GetString(kGatewayFlag);
  settings.public_ip = options.GetString(kPublicIpFlag);
  if (!settings.public_ip.empty() && !IsIpv4(settings.public_ip)) {
    return BadOption(kPublicIpFlag, "give an IPv4 address");
  }
  DM_RETURN_IF_ERROR(ReadOpenCidrs(options, settings));
  settings.catalog = options.GetString(kCatalogFlag);
  settings.item = options.GetString(kItemFlag);
  settings.cpus = options.GetInt(kCpuFlag);
  settings.memory_mib = options.GetInt(kMemoryFlag);
  if (settings.memory_mib % 4 != 0) return BadOption(kMemoryFlag, "give a multiple of 4");
  settings.ssh_port = static_cast<int>(options.GetInt(kSshPortFlag));
  settings.docker_port = static_cast<int>(options.GetInt(kDockerPortFlag));
  settings.ssh_user = options.GetString(kSshUserFlag);
  const std::string& user = settings.ssh_user;
  const bool good_user =
      !user.empty() && user != "root" && absl::ascii_islower(user[0]) &&
      std::all_of(user.begin(), user.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
      });
  // It goes into the script of the guest.
  if (!good_user) return BadOption(kSshUserFlag, "this is no name of a user to make");
  settings.user_data = options.GetString(kUserDataTextFlag);
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "at most 48 KiB of user data are taken");
  }
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options) {
  Credentials credentials;
  if (!options.GetString(kHrefFlag).empty()) {
    DM_ASSIGN_OR_RETURN(credentials.href,
                        ParseApiEndpoint(kHrefFlag, options.GetString(kHrefFlag)));
    credentials.href = std::string(absl::StripSuffix(credentials.href, "/api"));
    if (options.GetString(kOrgFlag).empty()) {
      return BadOption(kOrgFlag, "name the organisation");
    }
  }
  credentials.org = options.GetString(kOrgFlag);
  if (absl::StrContains(credentials.org, '/')) {
    return BadOption(kOrgFlag, "give the organisation's short name, as in the URL of its portal");
  }
  credentials.username = options.GetString(kUsernameFlag);
  credentials.password = options.GetSecret(kPasswordFlag);
  credentials.token = options.GetSecret(kTokenFlag);
  credentials.ca_pem = options.GetString(kCaFlag);
  if (!credentials.ca_pem.empty() && !absl::StrContains(credentials.ca_pem, "BEGIN CERTIFICATE")) {
    return BadOption(kCaFileFlag, "this is no certificate in PEM form");
  }
  const bool complete = !credentials.username.empty() && !credentials.password.empty();
  if (credentials.token.empty() && !complete) {
    return BadOption(kUsernameFlag, absl::StrCat("give user and password (--", kPasswordFlag,
                                                 "), or --", kTokenFlag));
  }
  return credentials;
}

}  // namespace machine::driver::vmwarevcloudair
