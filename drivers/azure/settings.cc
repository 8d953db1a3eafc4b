#include "drivers/azure/settings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

constexpr absl::string_view kNone = "none";
// https://learn.microsoft.com/azure/virtual-machines/custom-data
constexpr size_t kMaxCustomDataBytes = 65'535;
// https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources
constexpr size_t kMaxTags = 40;
constexpr size_t kMaxTagKeyBytes = 512;
constexpr size_t kMaxTagValueBytes = 256;

struct Environment {
  absl::string_view name;
  absl::string_view endpoint;
  absl::string_view authority;
};
// https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure
constexpr Environment kEnvironments[] = {
    {"AzurePublicCloud", "https://management.azure.com", "https://login.microsoftonline.com"},
    {"AzureUSGovernmentCloud", "https://management.usgovcloudapi.net",
     "https://login.microsoftonline.us"},
    {"AzureChinaCloud", "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"},
};

// Role sizes of classic deployments, and what has their cores and at least their memory.
constexpr Renamed kSizes[] = {
    {"ExtraSmall", "Standard_B1s"},   {"Basic_A0", "Standard_B1s"},
    {"Small", "Standard_B1ms"},       {"Basic_A1", "Standard_B1ms"},
    {"Medium", "Standard_B2s"},       {"Basic_A2", "Standard_B2s"},
    {"Large", "Standard_B4ms"},       {"Basic_A3", "Standard_B4ms"},
    {"A5", "Standard_E2s_v3"},        {"ExtraLarge", "Standard_B8ms"},
    {"Basic_A4", "Standard_B8ms"},    {"A6", "Standard_E4s_v3"},
    {"Standard_A0", "Standard_B1s"},  {"Standard_A1", "Standard_B1ms"},
    {"Standard_A2", "Standard_B2s"},  {"A7", "Standard_E8s_v3"},
    {"Standard_A3", "Standard_B4ms"}, {"Standard_A4", "Standard_B8ms"},
};

constexpr Retired kRetired[] = {
    {kAvailabilitySetFlag, "",
     "is not supported: a machine has a resource group of its own, and a set lies within one; use "
     "--azure-availability-zone"},
    {kPublishSettingsFlag, "",
     "is of classic deployments, which Azure shut down (virtual machines on 2023-09-06); make a "
     "service principal (\"az ad sp create-for-rbac\") and give --azure-client-id with "
     "--azure-subscription-cert or --azure-client-secret"},
};

// https://learn.microsoft.com/azure/virtual-machines/linux/faq
constexpr absl::string_view kRefusedUsers[] = {
    "administrator", "admin", "user",    "user1", "test",  "user2",  "test1",   "user3",
    "admin1",        "1",     "123",     "a",     "adm",   "admin2", "actuser", "aspnet",
    "backup",        "david", "console", "guest", "john",  "owner",  "root",    "server",
    "sql",           "sys",   "support", "test2", "test3", "user4",  "user5",   "support_388945a0",
};

bool All(absl::string_view text, absl::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(more, c);
  });
}

// Goes into paths, so nothing else may get through.
absl::Status CheckName(absl::string_view flag, absl::string_view text, size_t most = 90) {
  const bool well_formed =
      !text.empty() && text.size() <= most && All(text, "-_.()") && text.back() != '.';
  if (well_formed) return absl::OkStatus();
  return BadOption(flag, absl::StrCat("\"", text, "\" is no name: letters, digits and \"-_.()\""));
}

// Of a subscription, a tenant or an application.
absl::Status CheckId(absl::string_view flag, absl::string_view text) {
  if (!text.empty() && text.size() <= 64 && All(text, "-.")) return absl::OkStatus();
  return BadOption(
      flag, absl::StrCat("\"", text, "\" is no id such as d255d8d7-5af0-4f5c-8a3e-1545044b861e"));
}

// Goes into a header or a form.
absl::Status CheckSecret(absl::string_view flag, absl::string_view text) {
  if (text.find_first_of(" \t\r\n") == absl::string_view::npos) return absl::OkStatus();
  return BadOption(flag, "there are spaces or line ends in it");
}

std::vector<std::string> PartsOf(const std::vector<std::string>& given) {
  return absl::StrSplit(absl::StrJoin(given, ","), absl::ByAnyChar(", "), absl::SkipWhitespace());
}

absl::Status ReadTags(const Options& options, Settings& settings) {
  for (const std::string& list : options.GetList("azure-tags")) {
    for (absl::string_view part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
      part = absl::StripAsciiWhitespace(part);
      const std::pair<std::string, std::string> tag = absl::StrSplit(part, absl::MaxSplits('=', 1));
      const auto& [key, value] = tag;
      if (key.empty() || key.size() > kMaxTagKeyBytes || value.size() > kMaxTagValueBytes ||
          key.find_first_of("<>%&\\?/") != std::string::npos) {
        return BadOption("azure-tags", absl::StrCat("\"", part, "\" is no KEY=VALUE"));
      }
      if (absl::StartsWithIgnoreCase(key, "machine-") ||
          absl::EqualsIgnoreCase(key, "docker-machine")) {
        return BadOption("azure-tags", absl::StrCat("the tag ", key, " is the driver's own"));
      }
      settings.tags.insert(tag);
    }
  }
  if (settings.tags.size() <= kMaxTags) return absl::OkStatus();
  return BadOption("azure-tags", absl::StrCat("at most ", kMaxTags, " tags"));
}

absl::Status ReadFirewall(const Options& options, Settings& settings) {
  settings.open_cidrs = PartsOf(options.GetList(kOpenCidrFlag));
  if (settings.open_cidrs.empty()) settings.open_cidrs = {"0.0.0.0/0"};
  if (settings.open_cidrs == std::vector<std::string>{std::string(kNone)}) {
    settings.open_cidrs.clear();
  }
  for (const std::string& cidr : settings.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
    if (absl::StrContains(cidr, ":")) {
      return BadOption(kOpenCidrFlag, "a machine has no IPv6 address here; name IPv4 ranges");
    }
  }
  for (const std::string& given : PartsOf(options.GetList("azure-open-port"))) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(given, absl::MaxSplits('/', 1));
    int32_t port = 0;
    const bool udp = parts.second == "udp";
    if (!absl::SimpleAtoi(parts.first, &port) || port < 1 || port > 65535 ||
        (absl::StrContains(given, "/") && !udp && parts.second != "tcp")) {
      return BadOption("azure-open-port",
                       absl::StrCat("\"", given, "\" is no port such as 8080 or 53/udp"));
    }
    settings.open_ports.push_back(absl::StrCat(port, udp ? "/Udp" : "/Tcp"));
  }
  return absl::OkStatus();
}

absl::Status ReadNetwork(const Options& options, Settings& settings) {
  settings.resource_group = options.GetString(kGroupFlag);
  if (!settings.resource_group.empty()) {
    DM_RETURN_IF_ERROR(CheckName(kGroupFlag, settings.resource_group));
  }
  settings.subnet = options.GetString(kSubnetFlag);
  DM_RETURN_IF_ERROR(CheckName(kSubnetFlag, settings.subnet, 80));
  if (const std::string& network = options.GetString(kNetworkFlag); !network.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(network, ':');
    settings.network = parts.back();
    settings.network_group = parts.size() > 1 ? parts.front() : settings.resource_group;
    if (parts.size() > 2 || settings.network_group.empty()) {
      return BadOption(kNetworkFlag,
                       "name it as GROUP:NAME, or as NAME together with --azure-resource-group");
    }
    DM_RETURN_IF_ERROR(CheckName(kNetworkFlag, settings.network, 64));
    DM_RETURN_IF_ERROR(CheckName(kNetworkFlag, settings.network_group));
  }
  settings.subnet_prefix = options.GetString(kSubnetPrefixFlag);
  DM_RETURN_IF_ERROR(CheckCidr(kSubnetPrefixFlag, settings.subnet_prefix));
  settings.private_ip = options.GetString(kPrivateIpFlag);
  in_addr address;
  if (!settings.private_ip.empty() &&
      inet_pton(AF_INET, settings.private_ip.c_str(), &address) != 1) {
    return BadOption(kPrivateIpFlag, absl::StrCat("\"", settings.private_ip,
                                                  "\" is no address such as 192.168.0.10"));
  }
  settings.public_ip = !options.GetBool(kNoPublicIpFlag);
  settings.use_private_ip = options.GetBool("azure-use-private-ip") || !settings.public_ip;
  settings.dns_label = options.GetString(kDnsFlag);
  if (settings.dns_label.empty()) return absl::OkStatus();
  if (!settings.public_ip) {
    return BadOption(kDnsFlag, "a machine without a public address has no such name");
  }
  const std::string& label = settings.dns_label;
  const bool well_formed = label.size() >= 3 && label.size() <= 63 && All(label, "-") &&
                           absl::AsciiStrToLower(label) == label &&
                           absl::ascii_isalpha(static_cast<unsigned char>(label[0])) &&
                           label.back() != '-';
  if (well_formed) return absl::OkStatus();
  return BadOption(kDnsFlag, absl::StrCat("\"", label,
                                          "\" is no label: 3 to 63 lower case letters, digits and "
                                          "'-', a letter first"));
}

absl::Status ReadLogin(const Options& options, Settings& settings) {
  settings.username = options.GetString(kUsernameFlag);
  const std::string& name = settings.username;
  if (name.empty() || name.size() > 32 || !All(name, "-_") || name[0] == '-') {
    return BadOption(kUsernameFlag, absl::StrCat("\"", name, "\" is no name of a user"));
  }
  const bool refused = std::find(std::begin(kRefusedUsers), std::end(kRefusedUsers),
                                 absl::AsciiStrToLower(name)) != std::end(kRefusedUsers);
  if (refused) {
    return BadOption(kUsernameFlag, absl::StrCat("Azure takes no user ", name,
                                                 "; take another name, such as ubuntu"));
  }
  settings.password = options.GetSecret(kPasswordFlag);
  const size_t length = settings.password.size();
  if (length != 0 && (length < 12 || length > 72)) {
    return BadOption(kPasswordFlag, "Azure takes passwords of 12 to 72 characters");
  }
  settings.custom_data = options.GetString("azure-custom-data-text");
  if (settings.custom_data.size() <= kMaxCustomDataBytes) return absl::OkStatus();
  return BadOption("azure-custom-data", "Azure takes at most 65,535 bytes of custom data");
}

}  // namespace

std::string ImageName::Text() const {
  return publisher.empty() ? id : absl::StrCat(publisher, ":", offer, ":", sku, ":", version);
}

std::string LocationName(absl::string_view text) {
  std::string name = absl::AsciiStrToLower(text);
  std::erase(name, ' ');
  return name;
}

absl::StatusOr<ImageName> ReadImage(absl::string_view text) {
  ImageName image;
  if (text.empty()) return image;
  if (absl::StartsWithIgnoreCase(text, "/subscriptions/") && All(text, "-_.()/")) {
    image.id = std::string(text);
    return image;
  }
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  const bool well_formed =
      parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
        return !part.empty() && All(part, "-_.");
      });
  if (well_formed) {
    image = {parts[0], parts[1], parts[2], parts[3], ""};
    return image;
  }
  // "b39f27a8b8c64d52b05eac6a62ebad85__Ubuntu-14_04_1-LTS-…": a publisher's number and a name.
  if (absl::StrContains(text, "__")) {
    return BadOption(
        kImageFlag,
        absl::StrCat("\"", text,
                     "\" is an image of classic deployments, which Azure shut down; leave --",
                     kImageFlag,
                     " out to get the newest Ubuntu LTS, or name one as "
                     "Canonical:ubuntu-24_04-lts:server:latest"));
  }
  return BadOption(kImageFlag, absl::StrCat("\"", text,
                                            "\" is neither PUBLISHER:OFFER:SKU:VERSION nor an id "
                                            "that begins with /subscriptions/"));
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.subscription = options.GetString(kSubscriptionFlag);
  settings.location = LocationName(options.GetString(kLocationFlag));
  DM_RETURN_IF_ERROR(CheckName(kLocationFlag, settings.location));
  settings.size = CurrentNameOf(options.GetString(kSizeFlag), kSizes);
  if (!settings.size.empty()) DM_RETURN_IF_ERROR(CheckName(kSizeFlag, settings.size));
  DM_ASSIGN_OR_RETURN(settings.image, ReadImage(options.GetString(kImageFlag)));
  settings.ssh_port = static_cast<int>(options.GetInt("azure-ssh-port"));
  settings.docker_port = static_cast<int>(options.GetInt("azure-docker-port"));
  settings.zone = options.GetString(kZoneFlag);
  settings.disk_type = options.GetString(kDiskTypeFlag);
  settings.disk_gb = options.GetInt(kDiskSizeFlag);
  DM_RETURN_IF_ERROR(ReadLogin(options, settings));
  DM_RETURN_IF_ERROR(ReadNetwork(options, settings));
  DM_RETURN_IF_ERROR(ReadFirewall(options, settings));
  DM_RETURN_IF_ERROR(ReadTags(options, settings));
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options) {
  Credentials credentials;
  const std::string& name = options.GetString(kEnvironmentFlag);
  const auto* const environment =
      std::find_if(std::begin(kEnvironments), std::end(kEnvironments),
                   [&](const Environment& each) { return each.name == name; });
  if (environment == std::end(kEnvironments)) {
    if (name == "AzureGermanCloud") {
      return BadOption(kEnvironmentFlag,
                       "AzureGermanCloud is gone since 2021-10-29; use AzurePublicCloud and a "
                       "location such as germanywestcentral");
    }
    return BadOption(kEnvironmentFlag, absl::StrCat("there is no Azure \"", name,
                                                    "\"; there are AzurePublicCloud, "
                                                    "AzureUSGovernmentCloud, AzureChinaCloud"));
  }
  const auto url = [&](absl::string_view flag,
                       absl::string_view otherwise) -> absl::StatusOr<std::string> {
    const std::string& given = options.GetString(flag);
    return given.empty() ? std::string(otherwise) : ParseApiEndpoint(flag, given);
  };
  DM_ASSIGN_OR_RETURN(credentials.endpoint, url(kEndpointFlag, environment->endpoint));
  DM_ASSIGN_OR_RETURN(credentials.authority, url(kAuthorityFlag, environment->authority));
  credentials.audience = std::string(environment->endpoint);
  credentials.subscription = options.GetString(kSubscriptionFlag);
  DM_RETURN_IF_ERROR(CheckId(kSubscriptionFlag, credentials.subscription));
  credentials.tenant = options.GetString(kTenantFlag);
  if (!credentials.tenant.empty()) DM_RETURN_IF_ERROR(CheckId(kTenantFlag, credentials.tenant));
  credentials.client_id = options.GetString(kClientFlag);
  if (!credentials.client_id.empty()) {
    DM_RETURN_IF_ERROR(CheckId(kClientFlag, credentials.client_id));
  }
  credentials.token = options.GetSecret(kTokenFlag);
  DM_RETURN_IF_ERROR(CheckSecret(kTokenFlag, credentials.token));
  credentials.certificate = options.GetSecret(kCertificateTextFlag);
  credentials.client_secret = options.GetSecret(kClientSecretFlag);
  DM_RETURN_IF_ERROR(CheckSecret(kClientSecretFlag, credentials.client_secret));
  credentials.managed_identity = options.GetBool(kManagedIdentityFlag);
  const bool principal = !credentials.certificate.empty() || !credentials.client_secret.empty();
  if (principal && credentials.client_id.empty() && credentials.token.empty() &&
      !credentials.managed_identity) {
    return BadOption(kClientFlag,
                     absl::StrCat("name the service principal that --", kCertificateFlag, " or --",
                                  kClientSecretFlag,
                                  " belongs to; management certificates of a subscription are gone "
                                  "with classic deployments"));
  }
  return credentials;
}

absl::Status CheckRetiredValues(const Options& options) { return CheckRetired(options, kRetired); }

}  // namespace machine::driver::azure
