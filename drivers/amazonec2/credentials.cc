#include "drivers/amazonec2/credentials.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/amazonec2/aws_api.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

constexpr absl::Duration kRenewBefore = absl::Minutes(5);
// It is on the same host or not there at all.
constexpr absl::Duration kMetadataTimeout = absl::Seconds(2);
constexpr int kMaxProfileDepth = 5;
constexpr char kDefaultRoleSession[] = "docker-machine";

absl::Status NoCredentials(absl::string_view message) {
  return common::Error(absl::StatusCode::kUnauthenticated,
                       machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS, message);
}

std::string ValueOf(const Profile& profile, const std::string& key) {
  const auto it = profile.find(key);
  return it == profile.end() ? "" : it->second;
}

AwsCredentials Static(std::string key, absl::string_view secret, absl::string_view token) {
  AwsCredentials credentials;
  credentials.access_key_id = std::move(key);
  credentials.secret_access_key = common::SecretString(secret);
  credentials.session_token = common::SecretString(token);
  return credentials;
}

absl::StatusOr<absl::Time> ExpiryOf(absl::string_view text) {
  absl::Time expiry;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &expiry, &error)) return expiry;
  return absl::UnavailableError("AWS gave temporary credentials without an end");
}

}  // namespace

std::string EndpointOf(const AccountSettings& settings, absl::string_view service) {
  if (!settings.endpoint.empty()) return settings.endpoint;
  const absl::string_view tail = absl::StartsWith(settings.region, "cn-") ? ".cn" : "";
  return absl::StrCat("https://", service, ".", settings.region, ".amazonaws.com", tail);
}

CredentialsChain::CredentialsChain(common::HttpClient& http, AccountSettings settings,
                                   const Backoff& retry, Environment environment)
    : http_(http),
      settings_(std::move(settings)),
      retry_(retry),
      environment_(std::move(environment)) {}

absl::StatusOr<AwsCredentials> CredentialsChain::Get(const common::CallScope& call) {
  {
    absl::MutexLock lock(&mu_);
    const bool good = known_.has_value() &&
                      (!known_->expiry.has_value() || absl::Now() + kRenewBefore < *known_->expiry);
    if (good) return *known_;
  }
  // Not under the lock: a call that is cancelled must not wait for another one's request.
  DM_ASSIGN_OR_RETURN(AwsCredentials found, Find(call));
  absl::MutexLock lock(&mu_);
  known_ = found;
  return found;
}

absl::StatusOr<AwsCredentials> CredentialsChain::Find(const common::CallScope& call) const {
  DM_ASSIGN_OR_RETURN(AwsCredentials base, FindBase(call));
  if (settings_.role_arn.empty()) return base;
  return common::Annotate(AssumeRole(call, base, {{"role_arn", settings_.role_arn}}),
                          absl::StrCat("--", kRoleFlag));
}

absl::StatusOr<AwsCredentials> CredentialsChain::FindBase(const common::CallScope& call) const {
  if (!settings_.access_key.empty()) {
    return Static(settings_.access_key, settings_.secret_key, settings_.session_token);
  }
  if (settings_.profile.empty()) {
    if (std::optional<AwsCredentials> found = OfEnvironment(); found.has_value()) return *found;
  }
  DM_ASSIGN_OR_RETURN(const Profiles profiles, LoadProfiles(environment_));
  if (!settings_.profile.empty()) {
    return common::Annotate(OfProfile(call, profiles, settings_.profile, 0),
                            absl::StrCat("--", kProfileFlag));
  }
  const std::optional<std::string> named = environment_("AWS_PROFILE");
  if (named.has_value()) return OfProfile(call, profiles, *named, 0);
  const auto fallback = profiles.find("default");
  // A default profile often has no more than a region.
  if (fallback != profiles.end() &&
      (fallback->second.contains("aws_access_key_id") || fallback->second.contains("role_arn"))) {
    return OfProfile(call, profiles, "default", 0);
  }
  absl::StatusOr<AwsCredentials> of_instance = OfInstance(call);
  if (of_instance.ok() || call.cancelled()) return of_instance;
  return NoCredentials(
      absl::StrCat("no AWS credentials: give --", kAccessKeyFlag, " and --", kSecretKeyFlag,
                   ", or --", kProfileFlag,
                   "; the host of the driver has none in its environment, in ~/.aws, or as an "
                   "instance of EC2 (",
                   of_instance.status().message(), ")"));
}

std::optional<AwsCredentials> CredentialsChain::OfEnvironment() const {
  std::optional<std::string> key = environment_("AWS_ACCESS_KEY_ID");
  const std::optional<std::string> secret = environment_("AWS_SECRET_ACCESS_KEY");
  if (!key.has_value() || !secret.has_value()) return std::nullopt;
  return Static(*std::move(key), *secret, environment_("AWS_SESSION_TOKEN").value_or(""));
}

absl::StatusOr<AwsCredentials> CredentialsChain::OfProfile(const common::CallScope& call,
                                                           const Profiles& profiles,
                                                           const std::string& name,
                                                           int depth) const {
  const auto it = profiles.find(name);
  if (it == profiles.end()) {
    return NoCredentials(
        absl::StrCat("the shared files of AWS on the host of the driver have no "
                     "profile \"",
                     name, "\""));
  }
  const Profile& profile = it->second;
  const std::string source = ValueOf(profile, "source_profile");
  if (profile.contains("role_arn") && (source != name || depth == 0)) {
    if (depth >= kMaxProfileDepth) {
      return NoCredentials(
          absl::StrCat("profile \"", name, "\": source_profile leads in a circle"));
    }
    if (profile.contains("mfa_serial")) {
      return NoCredentials(absl::StrCat("profile \"", name,
                                        "\" asks for a code (mfa_serial): get "
                                        "temporary credentials, and give them with --",
                                        kSessionTokenFlag));
    }
    // A profile may name itself as source: then the keys beside its role are meant.
    absl::StatusOr<AwsCredentials> base =
        source.empty() ? OfSource(call, name, ValueOf(profile, "credential_source"))
                       : OfProfile(call, profiles, source, source == name ? 1 : depth + 1);
    if (!base.ok()) return base;
    return common::Annotate(AssumeRole(call, *base, profile),
                            absl::StrCat("profile \"", name, "\""));
  }
  if (!ValueOf(profile, "aws_access_key_id").empty()) {
    return Static(ValueOf(profile, "aws_access_key_id"), ValueOf(profile, "aws_secret_access_key"),
                  ValueOf(profile, "aws_session_token"));
  }
  return NoCredentials(
      absl::StrCat("profile \"", name,
                   "\" has neither aws_access_key_id nor role_arn; single "
                   "sign-on and credential_process are not supported: `aws configure "
                   "export-credentials` prints what to give with --",
                   kAccessKeyFlag, ", --", kSecretKeyFlag, " and --", kSessionTokenFlag));
}

absl::StatusOr<AwsCredentials> CredentialsChain::OfSource(const common::CallScope& call,
                                                          absl::string_view name,
                                                          absl::string_view source) const {
  if (source == "Ec2InstanceMetadata") return OfInstance(call);
  if (source == "Environment") {
    if (std::optional<AwsCredentials> found = OfEnvironment(); found.has_value()) return *found;
    return NoCredentials("the environment of the driver has no AWS_ACCESS_KEY_ID");
  }
  return NoCredentials(absl::StrCat("profile \"", name,
                                    "\" has a role_arn, but neither a "
                                    "source_profile nor a credential_source that is known here "
                                    "(Environment, Ec2InstanceMetadata)"));
}

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
absl::StatusOr<AwsCredentials> CredentialsChain::OfInstance(const common::CallScope& call) const {
  if (absl::EqualsIgnoreCase(environment_("AWS_EC2_METADATA_DISABLED").value_or(""), "true")) {
    return NoCredentials("AWS_EC2_METADATA_DISABLED is set");
  }
  constexpr absl::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
  DM_ASSIGN_OR_RETURN(const std::string token, AskInstance(call, "PUT", "/latest/api/token", ""));
  DM_ASSIGN_OR_RETURN(const std::string roles, AskInstance(call, "GET", kRoles, token));
  const std::string role(absl::StripAsciiWhitespace(roles.substr(0, roles.find('\n'))));
  DM_ASSIGN_OR_RETURN(const std::string text,
                      AskInstance(call, "GET", absl::StrCat(kRoles, role), token));
  const Json json = ParseJson(text);
  AwsCredentials credentials =
      Static(Text(json, "AccessKeyId"), Text(json, "SecretAccessKey"), Text(json, "Token"));
  if (credentials.access_key_id.empty()) return NoCredentials("the instance has no role");
  DM_ASSIGN_OR_RETURN(credentials.expiry, ExpiryOf(Text(json, "Expiration")));
  return credentials;
}

absl::StatusOr<std::string> CredentialsChain::AskInstance(const common::CallScope& call,
                                                          absl::string_view method,
                                                          absl::string_view path,
                                                          absl::string_view token) const {
  common::HttpRequest request;
  request.method = std::string(method);
  request.url = absl::StrCat(
      environment_("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("http://169.254.169.254"), path);
  if (token.empty()) {
    request.headers.Add("X-aws-ec2-metadata-token-ttl-seconds", "300");
  } else {
    request.headers.Add("X-aws-ec2-metadata-token", token);
  }
  request.deadline = std::min(call.deadline(), absl::Now() + kMetadataTimeout);
  request.max_attempts = 1;
  request.proxy = "";
  request.cancelled = [&call] { return call.cancelled(); };
  DM_ASSIGN_OR_RETURN(const common::HttpResponse response, http_.Send(std::move(request)));
  if (response.status == 200) return response.body;
  return NoCredentials(absl::StrCat("the metadata service answered with ", response.status));
}

// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
absl::StatusOr<AwsCredentials> CredentialsChain::AssumeRole(const common::CallScope& call,
                                                            const AwsCredentials& base,
                                                            const Profile& role) const {
  const AwsApi sts(http_,
                   {.endpoint = EndpointOf(settings_, "sts"),
                    .scope = {.region = settings_.region, .service = "sts"},
                    .version = "2011-06-15",
                    .backoff = retry_},
                   [&base](const common::CallScope&) { return base; });
  const std::string session = ValueOf(role, "role_session_name");
  Params params = {{"RoleArn", ValueOf(role, "role_arn")},
                   {"RoleSessionName", session.empty() ? kDefaultRoleSession : session}};
  if (role.contains("external_id")) params.emplace_back("ExternalId", ValueOf(role, "external_id"));
  if (role.contains("duration_seconds")) {
    params.emplace_back("DurationSeconds", ValueOf(role, "duration_seconds"));
  }
  DM_ASSIGN_OR_RETURN(const XmlElement answer, sts.Query(call, "AssumeRole", params));
  const XmlElement& given = answer.Child("AssumeRoleResult").Child("Credentials");
  AwsCredentials credentials =
      Static(given.Text("AccessKeyId"), given.Text("SecretAccessKey"), given.Text("SessionToken"));
  if (credentials.access_key_id.empty()) {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
                         "AWS's answer to AssumeRole has no credentials");
  }
  DM_ASSIGN_OR_RETURN(credentials.expiry, ExpiryOf(given.Text("Expiration")));
  return credentials;
}

}  // namespace machine::driver::amazonec2
