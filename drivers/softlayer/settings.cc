#include "drivers/softlayer/settings.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::softlayer {
namespace {

constexpr absl::string_view kHostnameFlag = "softlayer-hostname";
constexpr absl::string_view kDomainFlag = "softlayer-domain";
constexpr absl::string_view kHourlyFlag = "softlayer-hourly-billing";
constexpr absl::string_view kMonthlyFlag = "softlayer-monthly-billing";
constexpr absl::string_view kLocalDiskFlag = "softlayer-local-disk";
constexpr absl::string_view kPrivateOnlyFlag = "softlayer-private-net-only";
constexpr absl::string_view kTagFlag = "softlayer-tag";
constexpr absl::string_view kSshUserFlag = "softlayer-ssh-user";
constexpr absl::string_view kKeyPathFlag = "softlayer-ssh-key-path";
constexpr absl::string_view kUserDataFlag = "softlayer-userdata";
constexpr absl::string_view kUserDataTextFlag = "softlayer-userdata-text";

constexpr absl::string_view kDefaultEndpoint = "https://api.softlayer.com/rest/v3.1";
constexpr size_t kMaxUserDataBytes = 16 << 10;

constexpr absl::string_view kUseDefaultImage =
    "is gone; leave --softlayer-image out to get the newest Ubuntu LTS, or name a current code "
    "such "
    "as UBUNTU_24_64";
constexpr Retired kRetired[] = {
    {kImageFlag, "UBUNTU_8*", kUseDefaultImage},  {kImageFlag, "UBUNTU_10*", kUseDefaultImage},
    {kImageFlag, "UBUNTU_12*", kUseDefaultImage}, {kImageFlag, "UBUNTU_14*", kUseDefaultImage},
    {kImageFlag, "UBUNTU_16*", kUseDefaultImage}, {kImageFlag, "COREOS*", kUseDefaultImage},
    {kImageFlag, "CENTOS_5*", kUseDefaultImage},  {kImageFlag, "CENTOS_6*", kUseDefaultImage},
};

Flags& AddAccountFlags(Flags& flags) {
  return flags.String(kUserFlag)
      .Usage(
          "User name of the account; \"apikey\" for a key of IBM Cloud IAM (default: that of slcli "
          "on the driver's host)")
      .Env("SOFTLAYER_USER")
      .Env("SL_USERNAME")
      .Env("SOFTLAYER_USERNAME")
      .String(kApiKeyFlag)
      .Usage("API key of the user")
      .Env("SOFTLAYER_API_KEY")
      .Env("SL_API_KEY")
      .Secret()
      .String(kDomainFlag)
      .Usage("Domain name of the machine")
      .Env("SOFTLAYER_DOMAIN")
      .Required()
      .String(kHostnameFlag)
      .Usage("Host name of the machine")
      .Env("SOFTLAYER_HOSTNAME")
      .Default("docker");
}

Flags& AddMachineFlags(Flags& flags) {
  return flags.String(kRegionFlag)
      .Usage("Data center (default: dal01, or another of Dallas that takes orders)")
      .Env("SOFTLAYER_REGION")
      .Int(kCpuFlag)
      .Usage("Number of CPUs")
      .Env("SOFTLAYER_CPU")
      .Default(int64_t{1})
      .Range(1, 64)
      .Int(kMemoryFlag)
      .Usage("Memory")
      .Env("SOFTLAYER_MEMORY")
      .Unit("MB")
      .Default(int64_t{1024})
      .Range(1024, 524288)
      .Int(kDiskFlag)
      .Usage("Size of the disk; 0 for SoftLayer's default")
      .Env("SOFTLAYER_DISK_SIZE")
      .Unit("GB")
      .Default(int64_t{0})
      .Range(0, 2000)
      .String(kImageFlag)
      .Usage("Code of the operating system, or globalIdentifier of an image template")
      .Env("SOFTLAYER_IMAGE")
      .Default("UBUNTU_LATEST")
      .Bool(kHourlyFlag)
      .Usage("Billing by the hour, as is the default; \"=false\" for monthly")
      .Env("SOFTLAYER_HOURLY_BILLING")
      .Bool(kMonthlyFlag)
      .Usage("Billing by the month")
      .Env("SOFTLAYER_MONTHLY_BILLING")
      .Bool(kLocalDiskFlag)
      .Usage("Use a disk of the host instead of the SAN")
      .Env("SOFTLAYER_LOCAL_DISK")
      .StringList(kTagFlag)
      .Usage("Tag for the machine, or several with commas")
      .Env("SOFTLAYER_TAG");
}

Flags& AddNetworkFlags(Flags& flags) {
  return flags.Bool(kPrivateOnlyFlag)
      .Usage("Give the machine no public address; it is reached by its private one")
      .Env("SOFTLAYER_PRIVATE_NET")
      .Int(kPublicVlanFlag)
      .Usage("Id of the public VLAN; 0 for any")
      .Env("SOFTLAYER_PUBLIC_VLAN_ID")
      .Default(int64_t{0})
      .Range(0, int64_t{1} << 40)
      .Int(kPrivateVlanFlag)
      .Usage("Id of the private VLAN; 0 for any")
      .Env("SOFTLAYER_PRIVATE_VLAN_ID")
      .Default(int64_t{0})
      .Range(0, int64_t{1} << 40)
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh (22), the engine (2376) and swarm (3376); a security group of "
          "the "
          "machine's own keeps out all else (default: no security group)")
      .Env("SOFTLAYER_OPEN_CIDR");
}

Flags& AddLoginFlags(Flags& flags) {
  return flags.String(kSshUserFlag)
      .Usage("User to log in as: root, or one with sudo and no password")
      .Env("SOFTLAYER_SSH_USER")
      .Default("root")
      .String(kKeyPathFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("SOFTLAYER_SSH_KEY_PATH")
      .SshPrivateKey()
      .Int(kKeyIdFlag)
      .Usage("Id of an ssh key of the account that may log in, too")
      .Env("SOFTLAYER_SSH_KEY_ID")
      .String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("SOFTLAYER_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kEndpointFlag)
      .Usage("URL of the API")
      .Env("SOFTLAYER_API_ENDPOINT")
      .Default(kDefaultEndpoint);
}

absl::Status ReadNames(const Options& options, Settings& settings) {
  settings.hostname = options.GetString(kHostnameFlag);
  settings.domain = options.GetString(kDomainFlag);
  const auto is_name = [](absl::string_view text, bool dots) {
    return !text.empty() && text.size() <= 63 &&
           std::all_of(text.begin(), text.end(), [&](unsigned char c) {
             return absl::ascii_isalnum(c) || c == '-' || (dots && c == '.');
           });
  };
  if (!is_name(settings.hostname, false)) {
    return BadOption(kHostnameFlag, "a host name is letters, digits and dashes");
  }
  // One that was imported has none; a create cannot do without.
  if (!settings.domain.empty() &&
      (!is_name(settings.domain, true) || !absl::StrContains(settings.domain, '.'))) {
    return BadOption(kDomainFlag, "a domain is names with dots between them, as \"example.com\"");
  }
  return absl::OkStatus();
}

absl::Status ReadTags(const Options& options, Settings& settings) {
  for (const std::string& given : options.GetList(kTagFlag)) {
    for (const absl::string_view part : absl::StrSplit(given, ',', absl::SkipWhitespace())) {
      const absl::string_view tag = absl::StripAsciiWhitespace(part);
      const bool well_formed = std::all_of(tag.begin(), tag.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || absl::StrContains("-_ .:", static_cast<char>(c));
      });
      if (!well_formed) {
        return BadOption(kTagFlag,
                         absl::StrCat("\"", tag, "\" is no tag: letters, digits and -_ .:"));
      }
      settings.tags.emplace_back(tag);
    }
  }
  return absl::OkStatus();
}

// https://softlayer-python.readthedocs.io/en/latest/config_file/
absl::Status ReadSlcliFile(const Environment& environment, Credentials& credentials) {
  const std::string path = absl::StrCat(environment("HOME").value_or(""), "/.softlayer");
  const absl::StatusOr<std::vector<FileSection>> sections = ReadSections(path);
  if (!sections.ok()) return BadOption(kUserFlag, sections.status().message());
  for (const FileSection& section : *sections) {
    if (section.name != "softlayer") continue;
    credentials.user = section.Get("username");
    credentials.api_key = section.Get("api_key");
  }
  if (!credentials.user.empty() || !credentials.api_key.empty()) return absl::OkStatus();
  return BadOption(kUserFlag, absl::StrCat("there is no user: give one with --", kApiKeyFlag,
                                           " (SOFTLAYER_USER, SOFTLAYER_API_KEY), or run \"slcli "
                                           "setup\" on the driver's host"));
}

absl::Status ReadBilling(const Options& options, Settings& settings) {
  const bool monthly = options.GetBool(kMonthlyFlag);
  if (monthly && options.GetBool(kHourlyFlag)) {
    return BadOption(kMonthlyFlag, absl::StrCat("contradicts --", kHourlyFlag));
  }
  settings.hourly = !monthly && (options.GetBool(kHourlyFlag) || !options.Has(kHourlyFlag));
  return absl::OkStatus();
}

}  // namespace

Flags SoftLayerFlags() {
  Flags flags;
  AddAccountFlags(flags);
  AddMachineFlags(flags);
  AddNetworkFlags(flags);
  return AddLoginFlags(flags);
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings = {.region = absl::AsciiStrToLower(options.GetString(kRegionFlag)),
                       .cpus = options.GetInt(kCpuFlag),
                       .memory_mib = options.GetInt(kMemoryFlag),
                       .disk_gib = options.GetInt(kDiskFlag),
                       .image = options.GetString(kImageFlag),
                       .local_disk = options.GetBool(kLocalDiskFlag),
                       .private_only = options.GetBool(kPrivateOnlyFlag),
                       .public_vlan = options.GetInt(kPublicVlanFlag),
                       .private_vlan = options.GetInt(kPrivateVlanFlag),
                       .key_id = options.GetInt(kKeyIdFlag),
                       .open_cidrs = options.GetList(kOpenCidrFlag),
                       .ssh_user = options.GetString(kSshUserFlag),
                       .user_data = options.GetString(kUserDataTextFlag)};
  DM_RETURN_IF_ERROR(ReadNames(options, settings));
  DM_RETURN_IF_ERROR(ReadTags(options, settings));
  DM_RETURN_IF_ERROR(ReadBilling(options, settings));
  if (settings.private_only && settings.public_vlan != 0) {
    return BadOption(kPublicVlanFlag, absl::StrCat("contradicts --", kPrivateOnlyFlag));
  }
  for (const std::string& cidr : settings.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
  }
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "at most 16 KiB of user data are taken");
  }
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options,
                                            const Environment& environment) {
  Credentials credentials;
  std::string url = options.GetString(kEndpointFlag);
  if (url.empty()) url = std::string(kDefaultEndpoint);
  // The original's default has no scheme, and the version before.
  if (!absl::StrContains(url, "://")) url = absl::StrCat("https://", url);
  DM_ASSIGN_OR_RETURN(credentials.endpoint, ParseApiEndpoint(kEndpointFlag, url));
  if (absl::EndsWith(credentials.endpoint, "/rest/v3"))
    absl::StrAppend(&credentials.endpoint, ".1");
  if (!absl::EndsWith(credentials.endpoint, "/rest/v3.1")) {
    return BadOption(kEndpointFlag, absl::StrCat("\"", url, "\" does not end with /rest/v3.1"));
  }
  credentials.user = options.GetString(kUserFlag);
  credentials.api_key = options.GetSecret(kApiKeyFlag);
  if (credentials.user.empty() && credentials.api_key.empty()) {
    DM_RETURN_IF_ERROR(ReadSlcliFile(environment, credentials));
  }
  if (credentials.user.empty()) return BadOption(kUserFlag, "a key is nothing without its user");
  if (credentials.api_key.empty()) {
    return BadOption(kApiKeyFlag, "a user is nothing without an API key");
  }
  // They go into a header, with a colon between them.
  if (credentials.user.find_first_of(": \t\r\n") != std::string::npos) {
    return BadOption(kUserFlag, "a user name has no colons, spaces or line ends in it");
  }
  if (credentials.api_key.find_first_of(" \t\r\n") != std::string::npos) {
    return BadOption(kApiKeyFlag, "a key has no spaces or line ends in it");
  }
  return credentials;
}

bool IsImageTemplate(absl::string_view image) {
  // 8-4-4-4-12 digits.
  return image.size() == 36 && image[8] == '-' && image[13] == '-';
}

absl::Status CheckRetiredValues(const Options& options) { return CheckRetired(options, kRetired); }

}  // namespace machine::driver::softlayer
