#include "drivers/google/settings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/google/google_auth.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

constexpr absl::string_view kServiceAccountFlag = "google-service-account";
constexpr absl::string_view kStaticAddressFlag = "google-static-address";
constexpr absl::string_view kInternalFlag = "google-use-internal-ip";
constexpr absl::string_view kInternalOnlyFlag = "google-use-internal-ip-only";
constexpr absl::string_view kPreemptibleFlag = "google-preemptible";
constexpr absl::string_view kSpotFlag = "google-spot";
constexpr absl::string_view kTagsFlag = "google-tags";
constexpr absl::string_view kLabelsFlag = "google-labels";
constexpr absl::string_view kUserDataFlag = "google-userdata";
constexpr absl::string_view kUserDataTextFlag = "google-userdata-text";
constexpr absl::string_view kKeyPathFlag = "google-ssh-key-path";
constexpr absl::string_view kOpenPortFlag = "google-open-port";
constexpr absl::string_view kEndpointFlag = "google-endpoint";

constexpr absl::string_view kNone = "none";
constexpr absl::string_view kScopePrefix = "https://www.googleapis.com/auth/";
// https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations
constexpr size_t kMaxUserDataBytes = 256 << 10;
// https://cloud.google.com/compute/docs/naming-resources
constexpr size_t kMaxNameBytes = 63;

// Families of machine types that were renamed: https://cloud.google.com/compute/docs/machine-types
constexpr Renamed kMachineTypes[] = {
    {"n1-megamem-96", "m1-megamem-96"},
    {"n1-ultramem-40", "m1-ultramem-40"},
    {"n1-ultramem-80", "m1-ultramem-80"},
    {"n1-ultramem-160", "m1-ultramem-160"},
};

// Beginnings of names of images and families.
constexpr absl::string_view kGoneImages[] = {
    "ubuntu-10",          "ubuntu-12",         "ubuntu-13",         "ubuntu-14",
    "ubuntu-15",          "ubuntu-16",         "ubuntu-17",         "ubuntu-18",
    "ubuntu-minimal-14",  "ubuntu-minimal-16", "ubuntu-minimal-18", "debian-7",
    "debian-8",           "debian-9",          "coreos-",           "container-vm",
    "backports-debian-7", "centos-6",          "centos-7",
};

Flags& AddAccountFlags(Flags& flags) {
  return flags.String(kProjectFlag)
      .Usage("Project, by its id")
      .Env("GOOGLE_PROJECT")
      .Required()
      .String(kTokenFlag)
      .Usage("OAuth access token, as \"gcloud auth print-access-token\" prints it; lasts an hour")
      .Env("GOOGLE_AUTH_TOKEN")
      .Secret()
      .String(kCredentialsFlag)
      .Usage(
          "File with a service account's key, or gcloud's application-default credentials "
          "(default: gcloud's own file or the metadata server, where the driver runs)")
      .Env("GOOGLE_APPLICATION_CREDENTIALS")
      .ContentTo(kCredentialsTextFlag)
      .String(kCredentialsTextFlag)
      .Usage("Text of such a file")
      .Env("GOOGLE_CREDENTIALS")
      .Secret();
}

Flags& AddMachineFlags(Flags& flags) {
  return flags.String(kZoneFlag)
      .Usage("Zone")
      .Env("GOOGLE_ZONE")
      .Default("us-central1-a")
      .String(kMachineTypeFlag)
      .Usage("Machine type (default: the zone's smallest with 1 GiB of memory)")
      .Env("GOOGLE_MACHINE_TYPE")
      .String(kImageFlag)
      .Usage("Image or image family, as PROJECT/NAME, NAME or URL (default: Ubuntu 24.04 LTS)")
      .Env("GOOGLE_MACHINE_IMAGE")
      .String(kUsernameFlag)
      .Usage("User to log in as; made on the instance")
      .Env("GOOGLE_USERNAME")
      .Default("docker-user")
      .String(kScopesFlag)
      .Usage("What the instance may do with the service account, short or as URLs, with commas")
      .Env("GOOGLE_SCOPES")
      .Default("devstorage.read_only,logging.write")
      .String(kServiceAccountFlag)
      .Usage("Service account of the instance, by email; \"none\" for none")
      .Env("GOOGLE_SERVICE_ACCOUNT")
      .Default("default")
      .Int(kDiskSizeFlag)
      .Usage("Size of the disk")
      .Env("GOOGLE_DISK_SIZE")
      .Unit("GB")
      .Default(int64_t{10})
      .Range(10, 65'536)
      .String(kDiskTypeFlag)
      .Usage("Type of the disk")
      .Env("GOOGLE_DISK_TYPE")
      .Default("pd-standard")
      .Bool(kPreemptibleFlag)
      .Usage("Cheaper, but stopped by Google after a day at most")
      .Env("GOOGLE_PREEMPTIBLE")
      .Bool(kSpotFlag)
      .Usage("Cheaper, but stopped by Google whenever it needs the capacity")
      .Env("GOOGLE_SPOT")
      .Bool(kUseExistingFlag)
      .Usage("Take the instance of the machine's name, which exists; it is never deleted")
      .Env("GOOGLE_USE_EXISTING")
      .StringList(kLabelsFlag)
      .Usage("Label KEY=VALUE, or several with commas")
      .Env("GOOGLE_LABELS");
}

Flags& AddNetworkFlags(Flags& flags) {
  return flags.String(kNetworkFlag)
      .Usage("Network, by name or as projects/PROJECT/global/networks/NAME")
      .Env("GOOGLE_NETWORK")
      .Default("default")
      .String(kSubnetworkFlag)
      .Usage("Subnetwork, by name or as projects/PROJECT/regions/REGION/subnetworks/NAME")
      .Env("GOOGLE_SUBNETWORK")
      .String(kAddressFlag)
      .Usage("Static external address that is reserved already, by name or as IP")
      .Env("GOOGLE_ADDRESS")
      .Bool(kStaticAddressFlag)
      .Usage("Reserve a static external address for the machine, and release it with it")
      .Env("GOOGLE_STATIC_ADDRESS")
      .Bool(kInternalFlag)
      .Usage("Reach the machine by its internal address")
      .Env("GOOGLE_USE_INTERNAL_IP")
      .Bool(kInternalOnlyFlag)
      .Usage("Give the machine no external address")
      .Env("GOOGLE_USE_INTERNAL_IP_ONLY")
      .StringList(kTagsFlag)
      .Usage("Network tag, or several with commas")
      .Env("GOOGLE_TAGS")
      .StringList(kOpenCidrFlag)
      .Usage(
          "Range that may reach ssh (22), the engine (2376) and swarm (3376), by a firewall rule "
          "of the machine's own; \"none\" for no rule (default: 0.0.0.0/0)")
      .Env("GOOGLE_OPEN_CIDR")
      .StringList(kOpenPortFlag)
      .Usage("Further port for that rule, as 8080 or 53/udp")
      .Env("GOOGLE_OPEN_PORT");
}

bool IsName(absl::string_view text) {
  const auto allowed = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
  };
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), allowed) &&
         absl::ascii_islower(static_cast<unsigned char>(text[0])) && text.back() != '-';
}

absl::Status CheckName(absl::string_view flag, absl::string_view text) {
  if (IsName(text)) return absl::OkStatus();
  return BadOption(flag, absl::StrCat("\"", text,
                                      "\" is no name: lower case letters, digits and "
                                      "'-', a letter first, at most 63"));
}

// A project's id may also begin with "example.com:".
bool IsProject(absl::string_view text) {
  const auto allowed = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == ':';
  };
  return !text.empty() && text.size() <= 2 * kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), allowed);
}

std::vector<std::string> PartsOf(const std::vector<std::string>& given) {
  std::vector<std::string> parts;
  for (const std::string& each : given) {
    for (const absl::string_view part : absl::StrSplit(each, ',', absl::SkipWhitespace())) {
      parts.emplace_back(absl::StripAsciiWhitespace(part));
    }
  }
  return parts;
}

// What follows "projects/" in a URL or a path, or all of it.
absl::string_view WithoutUrl(absl::string_view text) {
  const size_t at = text.find("projects/");
  return at == absl::string_view::npos ? text : text.substr(at + strlen("projects/"));
}

// "projects/P/MIDDLE/N", from that form, a URL, or a name of `project`.
absl::StatusOr<std::string> PathOf(absl::string_view flag, absl::string_view text,
                                   absl::string_view project, absl::string_view middle) {
  std::pair<absl::string_view, absl::string_view> parts = {project, text};
  if (absl::StrContains(text, "/")) {
    parts = absl::StrSplit(WithoutUrl(text), absl::MaxSplits('/', 1));
    if (!absl::ConsumePrefix(&parts.second, absl::StrCat(middle, "/"))) parts.second = "";
  }
  if (IsProject(parts.first) && IsName(parts.second)) {
    return absl::StrCat("projects/", parts.first, "/", middle, "/", parts.second);
  }
  return BadOption(flag, absl::StrCat("\"", text, "\" is neither a name nor projects/PROJECT/",
                                      middle, "/NAME"));
}

absl::StatusOr<ImageName> ReadImage(absl::string_view text, absl::string_view project) {
  if (text.empty()) return ImageName();
  ImageName image = {std::string(project), std::string(text)};
  if (absl::StrContains(text, "/")) {
    std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(WithoutUrl(text), absl::MaxSplits('/', 1));
    absl::ConsumePrefix(&parts.second, "global/images/");
    absl::ConsumePrefix(&parts.second, "family/");
    image = {std::string(parts.first), std::string(parts.second)};
  }
  if (IsProject(image.project) && IsName(image.name)) return image;
  return BadOption(kImageFlag, absl::StrCat("\"", text,
                                            "\" is none of NAME, PROJECT/NAME and "
                                            "projects/PROJECT/global/images/NAME"));
}

absl::Status ReadLabels(const Options& options, Settings& settings) {
  for (const std::string& given : PartsOf(options.GetList(kLabelsFlag))) {
    const std::pair<std::string, std::string> label =
        absl::StrSplit(given, absl::MaxSplits('=', 1));
    const auto allowed = [](char c) {
      return absl::ascii_islower(static_cast<unsigned char>(c)) ||
             absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    };
    const auto& [key, value] = label;
    const bool well_formed = !key.empty() && key.size() <= kMaxNameBytes &&
                             value.size() <= kMaxNameBytes &&
                             absl::ascii_islower(static_cast<unsigned char>(key[0])) &&
                             std::all_of(key.begin(), key.end(), allowed) &&
                             std::all_of(value.begin(), value.end(), allowed);
    if (!well_formed) {
      return BadOption(kLabelsFlag, absl::StrCat("\"", given,
                                                 "\" is no KEY=VALUE of lower case letters, "
                                                 "digits, '-' and '_', at most 63 each"));
    }
    if (absl::StartsWith(key, "machine-") || key == "docker-machine") {
      return BadOption(kLabelsFlag, absl::StrCat("the label ", key, " is the driver's own"));
    }
    settings.labels.insert(label);
  }
  return absl::OkStatus();
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
  for (const std::string& given : PartsOf(options.GetList(kOpenPortFlag))) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(given, '/');
    int32_t port = 0;
    const bool udp = absl::EndsWith(given, "/udp");
    if (!absl::SimpleAtoi(parts.first, &port) || port < 1 || port > 65535 ||
        (absl::StrContains(given, "/") && !udp && !absl::EndsWith(given, "/tcp"))) {
      return BadOption(kOpenPortFlag, absl::StrCat("\"", given, "\" is no port such as 8080"));
    }
    settings.open_ports.push_back(absl::StrCat(port, udp ? "/udp" : "/tcp"));
  }
  return absl::OkStatus();
}

absl::Status ReadNetwork(const Options& options, Settings& settings) {
  DM_ASSIGN_OR_RETURN(settings.network, PathOf(kNetworkFlag, options.GetString(kNetworkFlag),
                                               settings.project, "global/networks"));
  if (const std::string& subnetwork = options.GetString(kSubnetworkFlag); !subnetwork.empty()) {
    DM_ASSIGN_OR_RETURN(settings.subnetwork,
                        PathOf(kSubnetworkFlag, subnetwork, settings.project,
                               absl::StrCat("regions/", settings.region, "/subnetworks")));
  }
  settings.address = options.GetString(kAddressFlag);
  settings.static_address = options.GetBool(kStaticAddressFlag);
  settings.internal_ip_only = options.GetBool(kInternalOnlyFlag);
  settings.use_internal_ip = options.GetBool(kInternalFlag) || settings.internal_ip_only;
  if (settings.internal_ip_only && (settings.static_address || !settings.address.empty())) {
    return BadOption(kInternalOnlyFlag,
                     absl::StrCat("a machine without an external address cannot have a static "
                                  "one; leave out --",
                                  kAddressFlag, " and --", kStaticAddressFlag));
  }
  if (settings.static_address && !settings.address.empty()) {
    return BadOption(kStaticAddressFlag,
                     absl::StrCat("the address is that of --", kAddressFlag, "; give only one"));
  }
  settings.tags = PartsOf(options.GetList(kTagsFlag));
  for (const std::string& tag : settings.tags) DM_RETURN_IF_ERROR(CheckName(kTagsFlag, tag));
  return absl::OkStatus();
}

absl::Status ReadLogin(const Options& options, Settings& settings) {
  settings.username = options.GetString(kUsernameFlag);
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  const std::string& name = settings.username;
  if (name.empty() || name.size() > 32 || name[0] == '-' ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return BadOption(kUsernameFlag, absl::StrCat("\"", name, "\" is no name of a user"));
  }
  if (name == "root") {
    return BadOption(kUsernameFlag, "Google's images let root not log in; take another name");
  }
  settings.user_data = options.GetString(kUserDataTextFlag);
  if (settings.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "Google takes at most 256 KiB of user data");
  }
  settings.service_account = options.GetString(kServiceAccountFlag);
  if (settings.service_account == kNone) settings.service_account.clear();
  for (const std::string& scope : PartsOf({options.GetString(kScopesFlag)})) {
    const bool whole = absl::StartsWith(scope, "https://");
    settings.scopes.push_back(whole ? scope : absl::StrCat(kScopePrefix, scope));
  }
  return absl::OkStatus();
}

}  // namespace

Flags GoogleFlags() {
  Flags flags;
  AddAccountFlags(flags);
  AddMachineFlags(flags);
  AddNetworkFlags(flags);
  return flags.String(kUserDataFlag)
      .Usage("File with user data for cloud-init")
      .Env("GOOGLE_USERDATA")
      .ContentTo(kUserDataTextFlag)
      .String(kUserDataTextFlag)
      .Usage("User data for cloud-init as text")
      .String(kKeyPathFlag)
      .Usage("File with the private ssh key to use (default: a new one for the machine)")
      .Env("GOOGLE_SSH_KEY_PATH")
      .SshPrivateKey()
      .String(kEndpointFlag)
      .Usage("URL of the API")
      .Env("GOOGLE_ENDPOINT")
      .Default("https://compute.googleapis.com/compute/v1");
}

absl::StatusOr<Settings> ReadSettings(const Options& options) {
  Settings settings;
  settings.project = options.GetString(kProjectFlag);
  settings.zone = options.GetString(kZoneFlag);
  DM_RETURN_IF_ERROR(CheckName(kZoneFlag, settings.zone));
  settings.region = settings.zone.substr(0, settings.zone.rfind('-'));
  settings.machine_type = CurrentNameOf(options.GetString(kMachineTypeFlag), kMachineTypes);
  if (!settings.machine_type.empty()) {
    DM_RETURN_IF_ERROR(CheckName(kMachineTypeFlag, settings.machine_type));
  }
  DM_ASSIGN_OR_RETURN(settings.image, ReadImage(options.GetString(kImageFlag), settings.project));
  settings.disk_gb = options.GetInt(kDiskSizeFlag);
  settings.disk_type = options.GetString(kDiskTypeFlag);
  DM_RETURN_IF_ERROR(CheckName(kDiskTypeFlag, settings.disk_type));
  settings.preemptible = options.GetBool(kPreemptibleFlag);
  settings.spot = options.GetBool(kSpotFlag);
  settings.use_existing = options.GetBool(kUseExistingFlag);
  DM_RETURN_IF_ERROR(ReadLogin(options, settings));
  DM_RETURN_IF_ERROR(ReadNetwork(options, settings));
  DM_RETURN_IF_ERROR(ReadFirewall(options, settings));
  DM_RETURN_IF_ERROR(ReadLabels(options, settings));
  return settings;
}

absl::StatusOr<Credentials> ReadCredentials(const Options& options) {
  Credentials credentials;
  DM_ASSIGN_OR_RETURN(credentials.endpoint,
                      ParseApiEndpoint(kEndpointFlag, options.GetString(kEndpointFlag)));
  credentials.project = options.GetString(kProjectFlag);
  if (!IsProject(credentials.project)) {
    return BadOption(kProjectFlag, absl::StrCat("\"", credentials.project,
                                                "\" is no id of a project: lower case letters, "
                                                "digits and '-'"));
  }
  credentials.token = options.GetSecret(kTokenFlag);
  // It goes into a header.
  if (credentials.token.find_first_of(" \t\r\n") != std::string::npos) {
    return BadOption(kTokenFlag, "a token has no spaces or line ends in it");
  }
  // A file that the environment names does not matter where a token is given.
  if (credentials.token.empty()) credentials.file = options.GetSecret(kCredentialsTextFlag);
  return credentials;
}

absl::Status CheckCredentials(const Credentials& credentials) {
  if (credentials.file.empty()) return absl::OkStatus();
  const absl::Status parsed = ParseCredentialsFile(credentials.file).status();
  return parsed.ok() ? parsed : BadOption(kCredentialsFlag, parsed.message());
}

absl::Status CheckRetiredValues(const Options& options) {
  // A code of the sign-in by browser, and a refresh token, begin like this.
  const std::string& token = options.GetSecret(kTokenFlag);
  if (absl::StartsWith(token, "4/") || absl::StartsWith(token, "1//")) {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kTokenFlag,
        ": this is a code or refresh token of the sign-in by browser (OOB), "
        "which Google shut down on 2023-01-31; give an access token "
        "(\"gcloud auth print-access-token\"), or a service account's key file with --",
        kCredentialsFlag));
  }
  const std::string& type = options.GetString(kMachineTypeFlag);
  if (absl::StartsWith(type, "n1-") && absl::EndsWith(type, "-d")) {
    return PreCreateCheckFailed(absl::StrCat("--", kMachineTypeFlag,
                                             ": types with a scratch disk such as \"", type,
                                             "\" are gone; use ", absl::StripSuffix(type, "-d")));
  }
  DM_ASSIGN_OR_RETURN(const ImageName image,
                      ReadImage(options.GetString(kImageFlag), options.GetString(kProjectFlag)));
  const bool gone =
      std::any_of(std::begin(kGoneImages), std::end(kGoneImages),
                  [&](absl::string_view prefix) { return absl::StartsWith(image.name, prefix); });
  // A project's own images may be called as it likes.
  if (!gone || image.project == options.GetString(kProjectFlag)) return absl::OkStatus();
  return PreCreateCheckFailed(
      absl::StrCat("--", kImageFlag, ": \"", image.name,
                   "\" is too old for today's engine; leave --", kImageFlag,
                   " out to get Ubuntu 24.04 LTS, or name a current family such as "
                   "debian-cloud/debian-12"));
}

}  // namespace machine::driver::gce
