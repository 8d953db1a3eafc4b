#include "drivers/digitalocean/settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::digitalocean {
namespace {

constexpr absl::string_view kIpv6Flag = "digitalocean-ipv6";
constexpr absl::string_view kPrivateNetworkingFlag = "digitalocean-private-networking";
constexpr absl::string_view kBackupsFlag = "digitalocean-backups";
constexpr absl::string_view kMonitoringFlag = "digitalocean-monitoring";
constexpr absl::string_view kTagsFlag = "digitalocean-tags";
constexpr absl::string_view kUserDataFlag = "digitalocean-userdata";
constexpr absl::string_view kUserDataTextFlag = "digitalocean-userdata-text";
constexpr absl::string_view kKeyPathFlag = "digitalocean-ssh-key-path";
constexpr absl::string_view kSshUserFlag = "digitalocean-ssh-user";
constexpr absl::string_view kSshPortFlag = "digitalocean-ssh-port";
constexpr absl::string_view kPrivateOnlyFlag = "digitalocean-private-address-only";

// https://docs.digitalocean.com/products/droplets/how-to/provide-user-data/
constexpr size_t kMaxUserDataBytes = 64 << 10;
constexpr size_t kMaxTagBytes = 255;

constexpr absl::string_view kUseDefaultImage =
    "is gone; leave --digitalocean-image out to get the newest Ubuntu LTS, or name a current image "
    "such as ubuntu-24-04-x64";
constexpr Retired kRetired[] = {
    {kImageFlag, "ubuntu-10-*", kUseDefaultImage}, {kImageFlag, "ubuntu-12-*", kUseDefaultImage},
    {kImageFlag, "ubuntu-13-*", kUseDefaultImage}, {kImageFlag, "ubuntu-14-*", kUseDefaultImage},
    {kImageFlag, "ubuntu-15-*", kUseDefaultImage}, {kImageFlag, "ubuntu-16-*", kUseDefaultImage},
    {kImageFlag, "coreos-*", kUseDefaultImage},    {kImageFlag, "rancheros*", kUseDefaultImage},
};

// The first sizes were named by their memory alone.
constexpr Renamed kSizes[] = {
    {"512mb", "s-1vcpu-512mb-10gb"}, {"1gb", "s-1vcpu-1gb"},    {"2gb", "s-1vcpu-2gb"},
    {"4gb", "s-2vcpu-4gb"},          {"8gb", "s-4vcpu-8gb"},    {"16gb", "s-8vcpu-16gb"},
    {"32gb", "s-8vcpu-32gb"},        {"48gb", "s-12vcpu-48gb"}, {"64gb", "s-16vcpu-64gb"},
};

// An Ubuntu with Docker in it, which provisioning installs anyway.
constexpr Renamed kImages[] = {{"docker", ""}};

Flags& AddNetworkFlags(Flags& flags) {
  return flags.Bool(kIpv6Flag)
      .Usage("Give the droplet an IPv6 address, too")
      .Env("DIGITALOCEAN_IPV6")
      .Bool(kPrivateNetworkingFlag)
      .Usage("Without effect: every droplet is in a private network")
      .Env("DIGITALOCEAN_PRIVATE_NETWORKING")
      .DeprecatedBy("every droplet is in a VPC; choose one with --digitalocean-vpc-uuid")
      .String(kVpcFlag)
      .Usage("Private network (VPC) of the droplet (default: the region's)")
      .Env("DIGITALOCEAN_VPC_UUID")
      .Bool(kPrivateOnlyFlag)
      .Usage("Give the droplet no public address; it is reached by its address in the VPC")
      .Env("DIGITALOCEAN_PRIVATE_ADDRESS_ONLY")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh (--digitalocean-ssh-port), the engine (2376) and swarm (3376); "
          "a firewall of the machine's own keeps out all else (default: no firewall)")
      .Env("DIGITALOCEAN_OPEN_CIDR");
}

Flags& AddLoginFlags(Flags& flags) {
  return flags.String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("DIGITALOCEAN_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kKeyFlag)
      .Usage("Fingerprint or id of an ssh key of the account that may log in, too")
      .Env("DIGITALOCEAN_SSH_KEY_FINGERPRINT")
      .String(kKeyPathFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("DIGITALOCEAN_SSH_KEY_PATH")
      .SshPrivateKey()
      .String(kSshUserFlag)
      .Usage("User to log in as: root, or one with sudo and no password")
      .Env("DIGITALOCEAN_SSH_USER")
      .Default("root")
      .Int(kSshPortFlag)
      .Usage("Port of the image's ssh server")
      .Env("DIGITALOCEAN_SSH_PORT")
      .Default(int64_t{22})
      .Range(1, 65535);
}

absl::Status CheckTag(absl::string_view tag) {
  const bool well_formed =
      !tag.empty() && tag.size() <= kMaxTagBytes && std::all_of(tag.begin(), tag.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
               c == ':';
      });
  if (well_formed) return absl::OkStatus();
  return BadOption(kTagsFlag, absl::StrCat("\"", tag,
                                           "\" is no tag: letters, digits, '-', '_' and ':', at "
                                           "most 255 of them"));
}

}  // namespace

Flags DigitalOceanFlags() {
  Flags flags;
  flags.String(kTokenFlag)
      .Usage("Personal access token")
      .Env("DIGITALOCEAN_ACCESS_TOKEN")
      .Env("DIGITALOCEAN_TOKEN")
      .Secret()
      .Required()
      .String(kImageFlag)
      .Usage("Image, as slug or id (default: the newest Ubuntu LTS)")
      .Env("DIGITALOCEAN_IMAGE")
      .String(kRegionFlag)
      .Usage("Region")
      .Env("DIGITALOCEAN_REGION")
      .Default("nyc3")
      .String(kSizeFlag)
      .Usage("Size (default: the cheapest in the region with 1 GiB of memory)")
      .Env("DIGITALOCEAN_SIZE")
      .Bool(kBackupsFlag)
      .Usage("Have the droplet backed up; costs extra")
      .Env("DIGITALOCEAN_BACKUPS")
      .Bool(kMonitoringFlag)
      .Usage("Install DigitalOcean's monitoring agent")
      .Env("DIGITALOCEAN_MONITORING")
      .StringList(kTagsFlag)
      .Usage("Tag for the droplet, or several with commas")
      .Env("DIGITALOCEAN_TAGS");
  AddNetworkFlags(flags);
  AddLoginFlags(flags);
  return flags.String(kEndpointFlag)
      .Usage("URL of the API")
      .Env("DIGITALOCEAN_ENDPOINT")
      .Default("https://api.digitalocean.com");
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.image = CurrentNameOf(options.GetString(kImageFlag), kImages);
  settings.region = options.GetString(kRegionFlag);
  settings.size = CurrentNameOf(options.GetString(kSizeFlag), kSizes);
  settings.ipv6 = options.GetBool(kIpv6Flag);
  settings.backups = options.GetBool(kBackupsFlag);
  settings.monitoring = options.GetBool(kMonitoringFlag);
  settings.private_networking = options.GetBool(kPrivateNetworkingFlag);
  settings.private_address_only = options.GetBool(kPrivateOnlyFlag);
  for (const std::string& given : options.GetList(kTagsFlag)) {
    for (const absl::string_view part : absl::StrSplit(given, ',', absl::SkipWhitespace())) {
      settings.tags.emplace_back(absl::StripAsciiWhitespace(part));
      DM_RETURN_IF_ERROR(CheckTag(settings.tags.back()));
    }
  }
  settings.vpc_uuid = options.GetString(kVpcFlag);
  settings.user_data = options.GetString(kUserDataTextFlag);
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "DigitalOcean takes at most 64 KiB of user data");
  }
  settings.key_fingerprint = options.GetString(kKeyFlag);
  settings.open_cidrs = options.GetList(kOpenCidrFlag);
  for (const std::string& cidr : settings.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
  }
  settings.ssh_user = options.GetString(kSshUserFlag);
  settings.ssh_port = static_cast<int>(options.GetInt(kSshPortFlag));
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options) {
  Credentials credentials;
  DM_ASSIGN_OR_RETURN(credentials.endpoint,
                      ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)));
  credentials.token = options.GetSecret(kTokenFlag);
  // It goes into a header.
  if (credentials.token.find_first_of(" \t\r\n") != std::string::npos) {
    return BadOption(kTokenFlag, "a token has no spaces or line ends in it");
  }
  return credentials;
}

absl::Status CheckRetiredValues(const Options& options) { return CheckRetired(options, kRetired); }

}  // namespace machine::driver::digitalocean
