#include "drivers/exoscale/settings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::exoscale {
namespace {

constexpr absl::string_view kSshUserFlag = "exoscale-ssh-user";
constexpr absl::string_view kSshKeyFlag = "exoscale-ssh-key";
constexpr absl::string_view kUserDataFlag = "exoscale-userdata";
constexpr absl::string_view kUserDataTextFlag = "exoscale-userdata-text";
constexpr absl::string_view kIpv6Flag = "exoscale-ipv6";
constexpr absl::string_view kLabelFlag = "exoscale-label";

constexpr absl::string_view kDefaultUrl = "https://api-{zone}.exoscale.com/v2";
constexpr absl::string_view kDefaultGroup = "docker-machine";
// The API takes 32768 characters of base64.
constexpr size_t kMaxUserDataBytes = 32768 / 4 * 3;

constexpr absl::string_view kUseDefaultImage =
    "is gone; leave --exoscale-image out to get the newest Ubuntu LTS, or name a current image "
    "such "
    "as ubuntu-24.04";
constexpr Retired kRetired[] = {
    {kImageFlag, "ubuntu-10*", kUseDefaultImage},
    {kImageFlag, "ubuntu-12*", kUseDefaultImage},
    {kImageFlag, "ubuntu-14*", kUseDefaultImage},
    {kImageFlag, "ubuntu-16*", kUseDefaultImage},
    {kImageFlag, "Linux Ubuntu 14*", kUseDefaultImage},
    {kImageFlag, "Linux Ubuntu 16*", kUseDefaultImage},
    {kImageFlag, "coreos*", kUseDefaultImage},
};

// The CloudStack API that the original spoke.
bool IsRetiredUrl(absl::string_view url) {
  return absl::StrContains(url, "/compute") || absl::StrContains(url, "exoscale.ch") ||
         absl::StrContains(url, "exoscale.com/v1");
}

Flags& AddAccountFlags(Flags& flags) {
  return flags.String(kKeyFlag)
      .Usage("API key (default: that of exo's configuration on the driver's host)")
      .Env("EXOSCALE_API_KEY")
      .Secret()
      .String(kSecretFlag)
      .Usage("Secret of the API key")
      .Env("EXOSCALE_API_SECRET")
      .Secret()
      .String(kAccountFlag)
      .Usage("Account of exo's configuration to take where there is no key (default: its default)")
      .Env("EXOSCALE_ACCOUNT")
      .String(kUrlFlag)
      .Usage("URL of the API; {zone} stands for the zone")
      .Env("EXOSCALE_ENDPOINT")
      .Default(kDefaultUrl);
}

Flags& AddMachineFlags(Flags& flags) {
  return flags.String(kZoneFlag)
      .Usage("Zone")
      .Env("EXOSCALE_AVAILABILITY_ZONE")
      .Default("ch-gva-2")
      .String(kProfileFlag)
      .Usage("Instance type: a size of the family \"standard\", or FAMILY.SIZE")
      .Env("EXOSCALE_INSTANCE_PROFILE")
      .Default("small")
      .String(kImageFlag)
      .Usage(
          "Template, as name (\"ubuntu-24.04\" or in full) or id (default: the newest Ubuntu LTS)")
      .Env("EXOSCALE_IMAGE")
      .Env("EXSOCALE_IMAGE")
      .Int(kDiskFlag)
      .Usage("Size of the disk")
      .Env("EXOSCALE_DISK_SIZE")
      .Unit("GB")
      .Default(int64_t{50})
      .Range(10, 51200)
      .StringList(kLabelFlag)
      .Usage("Label KEY=VALUE for the instance")
      .Env("EXOSCALE_LABEL");
}

Flags& AddNetworkFlags(Flags& flags) {
  return flags.StringList(kGroupFlag)
      .Usage("Security group; one that does not exist is made with rules (default: docker-machine)")
      .Env("EXOSCALE_SECURITY_GROUP")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh (22), the engine (2376) and swarm (3376) by the rules of a "
          "security "
          "group that is made (default: everybody)")
      .Env("EXOSCALE_OPEN_CIDR")
      .StringList(kAffinityFlag)
      .Usage("Anti-affinity group, made where it does not exist")
      .Env("EXOSCALE_AFFINITY_GROUP")
      .Bool(kIpv6Flag)
      .Usage("Give the instance an IPv6 address, too")
      .Env("EXOSCALE_IPV6")
      .String(kPrivateNetworkFlag)
      .Usage("Managed private network of the zone to attach the instance to, as name or id")
      .Env("EXOSCALE_PRIVATE_NETWORK")
      .Bool(kPrivateOnlyFlag)
      .Usage(
          "Give the instance no public address; it is reached by its address in "
          "--exoscale-private-network")
      .Env("EXOSCALE_PRIVATE_ADDRESS_ONLY");
}

Flags& AddLoginFlags(Flags& flags) {
  return flags.String(kSshUserFlag)
      .Usage("User to log in as: root, or one with sudo and no password (default: the template's)")
      .Env("EXOSCALE_SSH_USER")
      .String(kSshKeyFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("EXOSCALE_SSH_KEY")
      .SshPrivateKey()
      .String(kKeyNameFlag)
      .Usage("Name of an ssh key of the account that may log in, too")
      .Env("EXOSCALE_KEY_NAME")
      .String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("EXOSCALE_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text");
}

bool HasSpace(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isspace(c) || c == ','; });
}

// Where exo keeps its accounts; empty for nowhere.
std::string ExoFile(const Environment& environment) {
  if (const auto given = environment("EXOSCALE_CONFIG"); given.has_value()) return *given;
  std::optional<std::string> folder = environment("XDG_CONFIG_HOME");
  const std::optional<std::string> home = environment("HOME");
  if (!folder.has_value() && home.has_value()) folder = absl::StrCat(*home, "/.config");
  return folder.has_value() ? absl::StrCat(*folder, "/exoscale/exoscale.toml") : "";
}

absl::Status ReadExoAccount(const Environment& environment, std::string account,
                            Credentials& credentials) {
  const std::string path = ExoFile(environment);
  const absl::StatusOr<std::vector<FileSection>> sections = ReadSections(path);
  if (!sections.ok()) return BadOption(kKeyFlag, sections.status().message());
  const bool by_name = !account.empty();
  if (!by_name && !sections->empty()) account = sections->front().Get("defaultaccount");
  for (const FileSection& section : *sections) {
    if (section.name != "accounts" || section.Get("name") != account) continue;
    credentials.key = section.Get("key");
    credentials.secret = section.Get("secret");
    if (!credentials.key.empty() && !credentials.secret.empty()) return absl::OkStatus();
    return BadOption(kKeyFlag, absl::StrCat("account \"", account, "\" of ", path,
                                            " has not both a key and a secret in clear; give them "
                                            "with --",
                                            kSecretFlag));
  }
  if (by_name) {
    return BadOption(kAccountFlag, absl::StrCat("there is no account \"", account, "\" in ", path,
                                                " of the driver's host"));
  }
  return BadOption(kKeyFlag, absl::StrCat("there is no key: give one with --", kSecretFlag,
                                          " (EXOSCALE_API_KEY, EXOSCALE_API_SECRET), or run \"exo "
                                          "config\" on the driver's host"));
}

absl::Status ReadLabels(const Options& options, Settings& settings) {
  for (const std::string& given : options.GetList(kLabelFlag)) {
    const std::pair<std::string, std::string> label =
        absl::StrSplit(given, absl::MaxSplits('=', 1));
    if (label.first.empty() || !absl::StrContains(given, '=')) {
      return BadOption(kLabelFlag, absl::StrCat("\"", given, "\" is not KEY=VALUE"));
    }
    settings.labels.insert(label);
  }
  return absl::OkStatus();
}

}  // namespace

Flags ExoscaleFlags() {
  Flags flags;
  AddAccountFlags(flags);
  AddMachineFlags(flags);
  AddNetworkFlags(flags);
  return AddLoginFlags(flags);
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.zone = absl::AsciiStrToLower(options.GetString(kZoneFlag));
  // It becomes part of a host's name.
  const bool well_formed =
      !settings.zone.empty() &&
      std::all_of(settings.zone.begin(), settings.zone.end(),
                  [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; });
  if (!well_formed) return BadOption(kZoneFlag, "a zone is letters, digits and dashes");
  settings.profile = absl::AsciiStrToLower(options.GetString(kProfileFlag));
  settings.image = options.GetString(kImageFlag);
  settings.disk_gib = options.GetInt(kDiskFlag);
  settings.security_groups = options.GetList(kGroupFlag);
  if (settings.security_groups.empty()) settings.security_groups = {std::string(kDefaultGroup)};
  settings.affinity_groups = options.GetList(kAffinityFlag);
  settings.ipv6 = options.GetBool(kIpv6Flag);
  settings.open_cidrs = options.GetList(kOpenCidrFlag);
  for (const std::string& cidr : settings.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
  }
  if (settings.open_cidrs.empty()) {
    settings.open_by_default = true;
    settings.open_cidrs = {"0.0.0.0/0"};
    if (settings.ipv6) settings.open_cidrs.push_back("::/0");
  }
  settings.private_network = options.GetString(kPrivateNetworkFlag);
  settings.private_address_only = options.GetBool(kPrivateOnlyFlag);
  if (settings.private_address_only && settings.private_network.empty()) {
    return BadOption(kPrivateOnlyFlag,
                     absl::StrCat("needs --", kPrivateNetworkFlag, " to be reached by"));
  }
  if (settings.private_address_only && settings.ipv6) {
    return BadOption(kPrivateOnlyFlag, absl::StrCat("contradicts --", kIpv6Flag));
  }
  settings.key_name = options.GetString(kKeyNameFlag);
  DM_RETURN_IF_ERROR(ReadLabels(options, settings));
  settings.ssh_user = options.GetString(kSshUserFlag);
  settings.user_data = options.GetString(kUserDataTextFlag);
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "Exoscale takes at most 24 KiB of user data");
  }
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options, const Environment& environment,
                                            absl::string_view zone) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  std::string url = options.GetString(kUrlFlag);
  // PreCreateCheck refuses it; machines that were imported still have it.
  if (url.empty() || IsRetiredUrl(url)) url = std::string(kDefaultUrl);
  url = absl::StrReplaceAll(url, {{"{zone}", zone.empty() ? settings.zone : zone}});
  Credentials credentials;
  DM_ASSIGN_OR_RETURN(credentials.endpoint, ParseApiEndpoint(kUrlFlag, url));
  if (!absl::EndsWith(credentials.endpoint, "/v2")) absl::StrAppend(&credentials.endpoint, "/v2");
  credentials.key = options.GetSecret(kKeyFlag);
  credentials.secret = options.GetSecret(kSecretFlag);
  if (credentials.key.empty() && credentials.secret.empty()) {
    DM_RETURN_IF_ERROR(ReadExoAccount(environment, options.GetString(kAccountFlag), credentials));
  }
  if (credentials.key.empty()) return BadOption(kKeyFlag, "a secret is nothing without its key");
  if (credentials.secret.empty()) {
    return BadOption(kSecretFlag, "a key is nothing without its secret");
  }
  // It goes into a header with commas in it.
  if (HasSpace(credentials.key)) {
    return BadOption(kKeyFlag, "a key has no spaces, commas or line ends in it");
  }
  if (HasSpace(credentials.secret)) {
    return BadOption(kSecretFlag, "a secret has no spaces, commas or line ends in it");
  }
  return credentials;
}

absl::Status CheckRetiredValues(const Options& options) {
  if (IsRetiredUrl(options.GetString(kUrlFlag))) {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kUrlFlag, ": \"", options.GetString(kUrlFlag),
        "\" is the CloudStack API, which Exoscale has shut down; leave --", kUrlFlag,
        " (EXOSCALE_ENDPOINT) out to use ", kDefaultUrl, " with the same key and secret"));
  }
  return CheckRetired(options, kRetired);
}

}  // namespace machine::driver::exoscale
