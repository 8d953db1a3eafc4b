#include "drivers/openstack/settings.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "drivers/openstack/clouds_yaml.h"
#include "drivers/openstack/flag_names.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

// Of the request, in Base64: https://docs.openstack.org/api-ref/compute/#create-server
constexpr size_t kMaxUserDataBytes = 65'535 / 4 * 3;

// Ubuntu's images, and others with cloud-init, answer root with advice only, unless told otherwise.
constexpr absl::string_view kRootMayLogIn = "#cloud-config\ndisable_root: false\n";

constexpr absl::string_view kNone = "none";

// As YAML 1.1 writes them.
constexpr absl::string_view kNo[] = {"false", "no", "off"};
constexpr absl::string_view kYes[] = {"true", "yes", "on"};

bool IsOneOf(absl::string_view text, absl::Span<const absl::string_view> words) {
  const std::string lower = absl::AsciiStrToLower(text);
  return std::find(words.begin(), words.end(), lower) != words.end();
}

using CloudValues = std::map<std::string, std::string>;

// What stands in a file and in flags or the environment must not be mixed up: an rc file of one
// cloud may be in force while another one is named.
class Merge {
 public:
  Merge(const Options& options, CloudValues cloud) : options_(options), cloud_(std::move(cloud)) {}

  absl::StatusOr<std::string> Of(absl::string_view flag, std::initializer_list<const char*> keys,
                                 bool secret = false) {
    const std::string& given = secret ? options_.GetSecret(flag) : options_.GetString(flag);
    for (const char* const key : keys) {
      const auto it = cloud_.find(key);
      if (it == cloud_.end() || it->second.empty()) continue;
      if (given.empty() || given == it->second) return it->second;
      return BadOption(flag, absl::StrCat("it, or the environment, says something else than \"",
                                          key, "\" in clouds.yaml; leave one of both out"));
    }
    return given;
  }

  std::string Value(const std::string& key) const {
    const auto it = cloud_.find(key);
    return it == cloud_.end() ? "" : it->second;
  }

 private:
  const Options& options_;
  const CloudValues cloud_;
};

absl::StatusOr<CloudValues> ReadCloud(const Options& options) {
  const std::string& name = options.GetString(kCloudFlag);
  if (name.empty()) return CloudValues();
  CloudsFiles files = {.clouds = options.GetSecret(kCloudsTextFlag),
                       .secure = options.GetSecret(kSecureTextFlag)};
  if (files.clouds.empty()) {
    DM_ASSIGN_OR_RETURN(CloudsFiles here, ReadCloudsFiles());
    files.clouds = std::move(here.clouds);
    if (files.secure.empty()) files.secure = std::move(here.secure);
  }
  absl::StatusOr<CloudValues> values = FindCloud(files, name);
  if (values.ok()) return values;
  return BadOption(kCloudFlag, values.status().message());
}

// http, too: many a cloud within a company has no certificate.
absl::Status CheckAuthUrl(absl::string_view url) {
  const bool http = absl::StartsWith(url, "http://") || absl::StartsWith(url, "https://");
  if (http && url.find_first_of("@?# \r\n") == absl::string_view::npos) return absl::OkStatus();
  return BadOption(kAuthUrlFlag, absl::StrCat("\"", url, "\" is not https://HOST[:PORT][/PATH]"));
}

absl::Status CheckComplete(const Credentials& credentials) {
  if (credentials.auth_url.empty()) {
    return BadOption(kAuthUrlFlag,
                     "it is needed, by the flag, by OS_AUTH_URL or by --openstack-cloud");
  }
  DM_RETURN_IF_ERROR(CheckAuthUrl(credentials.auth_url));
  const bool user = !credentials.username.empty() || !credentials.user_id.empty();
  const bool application =
      !credentials.application_id.empty() || !credentials.application_name.empty();
  if (application && credentials.application_secret.empty()) {
    return BadOption(kApplicationSecretFlag, "an application credential comes with its secret");
  }
  if (!credentials.application_secret.empty()) {
    if (!application) return BadOption(kApplicationIdFlag, "the secret comes with an id or a name");
    if (credentials.application_id.empty() && !user) {
      return BadOption(kUsernameFlag, "an application credential by name is one of a user's");
    }
    return absl::OkStatus();
  }
  if (!credentials.token.empty()) return absl::OkStatus();
  if (!user) {
    return BadOption(kUsernameFlag,
                     "a user is needed, or an application credential, a token or a cloud of "
                     "clouds.yaml");
  }
  if (credentials.password.empty()) {
    return BadOption(kPasswordFlag, "it is needed, by the flag or by OS_PASSWORD");
  }
  return absl::OkStatus();
}

absl::Status OneOnly(const Options& options, absl::string_view id, absl::string_view name) {
  if (!options.GetString(id).empty() && !options.GetString(name).empty()) {
    return BadOption(name, absl::StrCat("give this or --", id, ", not both"));
  }
  return absl::OkStatus();
}

Domain Or(Domain domain, const Domain& otherwise) { return domain.empty() ? otherwise : domain; }

absl::StatusOr<Domain> ReadDomain(Merge& merge, absl::string_view id_flag,
                                  std::initializer_list<const char*> id_keys,
                                  absl::string_view name_flag,
                                  std::initializer_list<const char*> name_keys) {
  Domain domain;
  DM_ASSIGN_OR_RETURN(domain.id, merge.Of(id_flag, id_keys));
  DM_ASSIGN_OR_RETURN(domain.name, merge.Of(name_flag, name_keys));
  return domain;
}

absl::StatusOr<std::string> ReadPem(const Merge& merge, const std::string& key) {
  const std::string path = merge.Value(key);
  if (path.empty()) return path;
  absl::StatusOr<std::string> text = common::ReadFile(path, 1 << 20);
  if (text.ok()) return text;
  return BadOption(kCloudFlag, absl::StrCat("\"", key, "\": ", text.status().message()));
}

absl::StatusOr<common::HttpTls> ReadTls(const Options& options, const Merge& merge) {
  common::HttpTls tls;
  tls.verify = !options.GetBool(kInsecureFlag) && !IsOneOf(merge.Value("verify"), kNo) &&
               !IsOneOf(merge.Value("insecure"), kYes);
  tls.ca_pem = options.GetString(kCaCertTextFlag);
  if (tls.ca_pem.empty()) {
    DM_ASSIGN_OR_RETURN(tls.ca_pem, ReadPem(merge, "cacert"));
  }
  if (!tls.ca_pem.empty() && !absl::StrContains(tls.ca_pem, "-----BEGIN CERTIFICATE-----")) {
    return BadOption(kCaCertFlag, "this is no file of certificates in PEM");
  }
  DM_ASSIGN_OR_RETURN(tls.client_cert_pem, ReadPem(merge, "cert"));
  DM_ASSIGN_OR_RETURN(std::string key, ReadPem(merge, "key"));
  tls.client_key_pem = common::SecretString(std::move(key));
  return tls;
}

}  // namespace

absl::StatusOr<Login> ReadLogin(const Options& options) {
  DM_ASSIGN_OR_RETURN(CloudValues cloud, ReadCloud(options));
  Merge merge(options, std::move(cloud));
  Login login;
  Credentials& who = login.credentials;
  DM_ASSIGN_OR_RETURN(who.auth_url, merge.Of(kAuthUrlFlag, {"auth_url"}));
  while (absl::EndsWith(who.auth_url, "/")) who.auth_url.pop_back();
  DM_ASSIGN_OR_RETURN(who.user_id, merge.Of(kUserIdFlag, {"user_id"}));
  DM_ASSIGN_OR_RETURN(who.username, merge.Of(kUsernameFlag, {"username", "user_name"}));
  DM_ASSIGN_OR_RETURN(who.password, merge.Of(kPasswordFlag, {"password"}, /*secret=*/true));
  DM_ASSIGN_OR_RETURN(who.token, merge.Of(kTokenFlag, {"token"}, /*secret=*/true));
  DM_ASSIGN_OR_RETURN(who.application_id,
                      merge.Of(kApplicationIdFlag, {"application_credential_id"}));
  DM_ASSIGN_OR_RETURN(who.application_name,
                      merge.Of(kApplicationNameFlag, {"application_credential_name"}));
  DM_ASSIGN_OR_RETURN(
      who.application_secret,
      merge.Of(kApplicationSecretFlag, {"application_credential_secret"}, /*secret=*/true));
  DM_ASSIGN_OR_RETURN(who.project_id, merge.Of(kTenantIdFlag, {"project_id", "tenant_id"}));
  DM_ASSIGN_OR_RETURN(who.project_name, merge.Of(kTenantNameFlag, {"project_name", "tenant_name"}));
  DM_ASSIGN_OR_RETURN(const Domain both,
                      ReadDomain(merge, kDomainIdFlag, {"domain_id", "default_domain_id"},
                                 kDomainNameFlag, {"domain_name", "default_domain_name"}));
  DM_ASSIGN_OR_RETURN(const Domain user, ReadDomain(merge, kUserDomainIdFlag, {"user_domain_id"},
                                                    kUserDomainNameFlag, {"user_domain_name"}));
  DM_ASSIGN_OR_RETURN(const Domain project,
                      ReadDomain(merge, kProjectDomainIdFlag, {"project_domain_id"},
                                 kProjectDomainNameFlag, {"project_domain_name"}));
  who.user_domain = Or(user, both);
  who.project_domain = Or(Or(project, both), user);
  const std::string auth_type = merge.Value("auth_type");
  if (absl::StrContains(auth_type, "oidc") || absl::StrContains(auth_type, "saml") ||
      absl::StrContains(auth_type, "kerberos") || absl::StrContains(auth_type, "totp")) {
    return BadOption(kCloudFlag, absl::StrCat("auth_type ", auth_type,
                                              " is not supported; make an application credential, "
                                              "or give a token with --",
                                              kTokenFlag));
  }
  const std::string profile = merge.Value("profile");
  if (who.auth_url.empty() && !profile.empty()) {
    return BadOption(kCloudFlag,
                     absl::StrCat("the profile \"", profile,
                                  "\" is not looked up; write its auth_url into clouds.yaml"));
  }
  DM_ASSIGN_OR_RETURN(who.tls, ReadTls(options, merge));
  DM_RETURN_IF_ERROR(CheckComplete(who));

  login.region = options.GetString(kRegionFlag);
  if (login.region.empty()) login.region = merge.Value("region_name");
  std::string interface = options.GetString(kEndpointTypeFlag);
  if (interface.empty()) interface = merge.Value("interface");
  if (interface.empty()) interface = merge.Value("endpoint_type");
  login.interface = interface.empty() ? "public" : InterfaceOf(interface);
  if (login.interface.empty()) {
    return BadOption(kEndpointTypeFlag, absl::StrCat("\"", interface,
                                                     "\" is none of publicURL, internalURL, "
                                                     "adminURL"));
  }
  return login;
}

absl::StatusOr<Plan> ReadSettings(const Options& options) {
  DM_RETURN_IF_ERROR(OneOnly(options, kFlavorIdFlag, kFlavorNameFlag));
  DM_RETURN_IF_ERROR(OneOnly(options, kImageIdFlag, kImageNameFlag));
  DM_RETURN_IF_ERROR(OneOnly(options, kNetIdFlag, kNetNameFlag));
  Plan plan = {.flavor_id = options.GetString(kFlavorIdFlag),
               .flavor_name = options.GetString(kFlavorNameFlag),
               .image_id = options.GetString(kImageIdFlag),
               .image_name = options.GetString(kImageNameFlag),
               .network_id = options.GetString(kNetIdFlag),
               .network_name = options.GetString(kNetNameFlag),
               .open_cidrs = options.GetList(kOpenCidrFlag),
               .floating_pool = options.GetString(kPoolFlag),
               .key_pair = options.GetString(kKeyPairFlag),
               .zone = options.GetString(kZoneFlag),
               .config_drive = options.GetBool(kConfigDriveFlag),
               .user_data = options.GetString(kUserDataTextFlag),
               .boot_from_volume = options.GetBool(kBootFromVolumeFlag),
               .volume_gib = options.GetInt(kVolumeSizeFlag),
               .volume_type = options.GetString(kVolumeTypeFlag),
               .ssh_user = options.GetString(kSshUserFlag),
               .ssh_port = static_cast<int>(options.GetInt(kSshPortFlag)),
               .ip_version = static_cast<int>(options.GetInt(kIpVersionFlag)),
               .private_only = options.GetBool(kPrivateOnlyFlag),
               .active_timeout = absl::Seconds(options.GetInt(kActiveTimeoutFlag))};
  for (const absl::string_view group :
       absl::StrSplit(options.GetString(kSecGroupsFlag), ',', absl::SkipWhitespace())) {
    plan.security_groups.emplace_back(absl::StripAsciiWhitespace(group));
  }
  if (plan.open_cidrs == std::vector<std::string>{std::string(kNone)}) {
    plan.open_cidrs.clear();
  } else if (plan.open_cidrs.empty() && plan.security_groups.empty()) {
    plan.open_cidrs = {plan.ip_version == 6 ? "::/0" : "0.0.0.0/0"};
  }
  for (const std::string& cidr : plan.open_cidrs) {
    DM_RETURN_IF_ERROR(CheckCidr(kOpenCidrFlag, cidr));
  }
  if (plan.ip_version != 4 && plan.ip_version != 6) {
    return BadOption(kIpVersionFlag, "it is 4 or 6");
  }
  if (plan.private_only && !plan.floating_pool.empty()) {
    return BadOption(kPoolFlag,
                     absl::StrCat("a floating IP is of no use with --", kPrivateOnlyFlag));
  }
  if (!plan.boot_from_volume && (plan.volume_gib > 0 || !plan.volume_type.empty())) {
    return BadOption(plan.volume_gib > 0 ? kVolumeSizeFlag : kVolumeTypeFlag,
                     absl::StrCat("it is for --", kBootFromVolumeFlag));
  }
  if (plan.user_data.size() > kMaxUserDataBytes) {
    return BadOption(kUserDataFlag, "OpenStack takes at most 48 KiB of user data");
  }
  if (plan.user_data.empty() && plan.ssh_user == "root")
    plan.user_data = std::string(kRootMayLogIn);
  DM_ASSIGN_OR_RETURN(plan.metadata, ParseMetadata(kMetadataFlag, options.GetList(kMetadataFlag)));
  return plan;
}

absl::Status CheckOldValues(DriverCall& call, const Options& options) {
  if (options.GetBool(kNovaNetworkFlag)) {
    return PreCreateCheckFailed(absl::StrCat(
        "--", kNovaNetworkFlag,
        ": nova-network left OpenStack in 2020; leave the flag out, and name a network of Neutron "
        "with --",
        kNetNameFlag, " where the project has several"));
  }
  DM_ASSIGN_OR_RETURN(const Login login, ReadLogin(options));
  DM_ASSIGN_OR_RETURN(const Plan plan, ReadSettings(options));
  if (absl::StartsWith(login.credentials.auth_url, "http://")) {
    call.Warning(absl::StrCat("--", kAuthUrlFlag,
                              ": password and token travel unencrypted; use https where the cloud "
                              "has it"));
  } else if (!login.credentials.tls.verify) {
    call.Warning(absl::StrCat("--", kInsecureFlag,
                              ": the cloud's certificate is not verified; whoever is in between "
                              "can read the password; --",
                              kCaCertFlag, " trusts one authority"));
  }
  if (std::any_of(plan.open_cidrs.begin(), plan.open_cidrs.end(), IsEverywhere)) {
    call.Warning(absl::StrCat("--", kOpenCidrFlag,
                              ": whoever can reach the network may try ssh and the engine"));
  }
  if (!options.GetString(kUserDataTextFlag).empty() && plan.ssh_user == "root") {
    call.Warning(absl::StrCat(
        "--", kSshUserFlag, ": root logs in only where the user data has \"disable_root: false\""));
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::openstack
