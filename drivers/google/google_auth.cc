#include "drivers/google/google_auth.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/crypto/signing.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

constexpr absl::string_view kProvider = "Google";
constexpr absl::string_view kTokenUri = "https://oauth2.googleapis.com/token";
constexpr absl::string_view kMetadataPath =
    "/computeMetadata/v1/instance/service-accounts/default/token";
constexpr absl::string_view kMetadataHeader = "Metadata-Flavor";
// RFC 7523; Google allows an hour at most.
constexpr absl::Duration kAssertionLifetime = absl::Hours(1);
constexpr absl::Duration kFetchTimeout = absl::Seconds(30);
// It is one hop away, or not there at all.
constexpr absl::Duration kMetadataTimeout = absl::Seconds(3);
constexpr int kMaxAttempts = 3;
constexpr int64_t kMaxFileBytes = 1 << 20;

absl::Status NoCredentials() {
  return CredentialsRefused(
      "there are no credentials for Google. The sign-in by browser and pasted code (OOB) of the "
      "first docker-machine was shut down by Google on 2023-01-31; give a service account's key "
      "file with --google-application-credentials, or a token with --google-auth-token "
      "(\"gcloud auth print-access-token\"), or run \"gcloud auth application-default login\" on "
      "the driver's host");
}

class FileTokenSource final : public TokenSource {
 public:
  FileTokenSource(common::HttpClient& http, CredentialsFile file, const common::Clock& clock)
      : http_(http), file_(std::move(file)), clock_(clock) {}

  absl::StatusOr<AccessToken> Fetch(const common::CallScope& call) const override {
    common::HttpRequest request;
    request.method = "POST";
    request.url = file_.token_uri;
    request.headers.Add("Content-Type", "application/x-www-form-urlencoded");
    request.headers.Add("Accept", "application/json");
    DM_ASSIGN_OR_RETURN(request.body, Body());
    request.deadline = std::min(call.deadline(), absl::Now() + kFetchTimeout);
    request.max_attempts = kMaxAttempts;
    // Two tokens do no harm.
    request.retry_safe = true;
    request.cancelled = [&call] { return call.cancelled(); };
    return ReadToken(http_.Send(std::move(request)), kProvider, Whose(), clock_.Now());
  }

 private:
  std::string Whose() const {
    return file_.type == CredentialsFile::Type::kServiceAccount
               ? absl::StrCat("service account ", file_.client_email)
               : "the user of the application-default credentials";
  }

  absl::StatusOr<std::string> Body() const {
    if (file_.type == CredentialsFile::Type::kAuthorizedUser) {
      return FormOf({{"grant_type", "refresh_token"},
                     {"client_id", file_.client_id},
                     {"client_secret", std::string(file_.client_secret.view())},
                     {"refresh_token", std::string(file_.refresh_token.view())}});
    }
    DM_ASSIGN_OR_RETURN(const std::string assertion, Assertion());
    return FormOf(
        {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", assertion}});
  }

  // https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth
  absl::StatusOr<std::string> Assertion() const {
    Json header = {{"alg", "RS256"}, {"typ", "JWT"}};
    if (!file_.private_key_id.empty()) header["kid"] = file_.private_key_id;
    const int64_t now = absl::ToUnixSeconds(clock_.Now());
    const Json claims = {{"iss", file_.client_email},
                         {"scope", std::string(kComputeScope)},
                         {"aud", file_.token_uri},
                         {"iat", now},
                         {"exp", now + absl::ToInt64Seconds(kAssertionLifetime)}};
    const std::string signed_part = absl::StrCat(absl::WebSafeBase64Escape(DumpJson(header)), ".",
                                                 absl::WebSafeBase64Escape(DumpJson(claims)));
    DM_ASSIGN_OR_RETURN(const std::string signature,
                        common::SignRs256(file_.private_key.view(), signed_part));
    return absl::StrCat(signed_part, ".", absl::WebSafeBase64Escape(signature));
  }

  common::HttpClient& http_;
  const CredentialsFile file_;
  const common::Clock& clock_;
};

// https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
class DefaultTokenSource final : public TokenSource {
 public:
  DefaultTokenSource(common::HttpClient& http, Surroundings surroundings,
                     const common::Clock& clock)
      : http_(http), surroundings_(std::move(surroundings)), clock_(clock) {}

  absl::StatusOr<AccessToken> Fetch(const common::CallScope& call) const override {
    if (!surroundings_.default_file.empty()) {
      absl::StatusOr<std::string> text =
          common::ReadFile(surroundings_.default_file, kMaxFileBytes);
      if (text.ok()) return FetchBy(call, *std::move(text));
      if (!absl::IsNotFound(text.status())) return text.status();
    }
    if (surroundings_.metadata_url.empty()) return NoCredentials();
    return AskMetadata(call);
  }

 private:
  absl::StatusOr<AccessToken> FetchBy(const common::CallScope& call, std::string text) const {
    const common::SecretString secret(std::move(text));
    absl::StatusOr<CredentialsFile> file = ParseCredentialsFile(secret.view());
    if (!file.ok()) {
      return CredentialsRefused(
          absl::StrCat(surroundings_.default_file, ": ", file.status().message()));
    }
    return FileTokenSource(http_, *std::move(file), clock_).Fetch(call);
  }

  absl::StatusOr<AccessToken> AskMetadata(const common::CallScope& call) const {
    common::HttpRequest request;
    request.url = absl::StrCat(surroundings_.metadata_url, kMetadataPath);
    request.headers.Add(kMetadataHeader, "Google");
    request.deadline = std::min(call.deadline(), absl::Now() + kMetadataTimeout);
    request.proxy = "";
    request.max_attempts = 1;
    request.cancelled = [&call] { return call.cancelled(); };
    const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
    DM_RETURN_IF_ERROR(call.Check());
    // Other clouds have something else at that address.
    if (!response.ok() || response->headers.Get(kMetadataHeader) != "Google") {
      return NoCredentials();
    }
    return ReadToken(response, kProvider, "this virtual machine's service account", clock_.Now());
  }

  common::HttpClient& http_;
  const Surroundings surroundings_;
  const common::Clock& clock_;
};

absl::Status Lacks(absl::string_view type, absl::string_view member) {
  return absl::InvalidArgumentError(
      absl::StrCat("credentials of type ", type, " without ", member));
}

absl::Status OtherType(absl::string_view type) {
  if (type == "external_account" || type == "impersonated_service_account") {
    return absl::InvalidArgumentError(
        absl::StrCat("credentials of type ", type,
                     " are not supported; use a service account's key, or "
                     "--google-auth-token with what \"gcloud auth print-access-token\" prints"));
  }
  return absl::InvalidArgumentError(
      "this is not a file of credentials from Google: its type is neither service_account nor "
      "authorized_user");
}

std::string VariableOr(const char* name, absl::string_view otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::string(otherwise) : value;
}

}  // namespace

absl::StatusOr<CredentialsFile> ParseCredentialsFile(absl::string_view json) {
  const Json body = ParseJson(json);
  const std::string type = Text(body, "type");
  const std::string universe = Text(body, "universe_domain");
  if (!universe.empty() && universe != "googleapis.com") {
    return absl::InvalidArgumentError(
        "credentials of another cloud than googleapis.com are not supported");
  }
  CredentialsFile file;
  const std::string uri = Text(body, "token_uri");
  // The key's proof goes there: never in the clear.
  const absl::StatusOr<std::string> checked =
      ParseApiEndpoint("token_uri", uri.empty() ? kTokenUri : absl::string_view(uri));
  if (!checked.ok()) return absl::InvalidArgumentError("its token_uri is not an https URL");
  file.token_uri = *checked;
  if (type == "service_account") {
    file.client_email = Text(body, "client_email");
    file.private_key_id = Text(body, "private_key_id");
    file.private_key = common::SecretString(Text(body, "private_key"));
    if (file.client_email.empty()) return Lacks(type, "client_email");
    if (file.private_key.empty()) return Lacks(type, "private_key");
    const absl::Status signs = common::SignRs256(file.private_key.view(), "").status();
    if (signs.ok()) return file;
    return absl::InvalidArgumentError(absl::StrCat("its private_key: ", signs.message()));
  }
  if (type != "authorized_user") return OtherType(type);
  file.type = CredentialsFile::Type::kAuthorizedUser;
  file.client_id = Text(body, "client_id");
  file.client_secret = common::SecretString(Text(body, "client_secret"));
  file.refresh_token = common::SecretString(Text(body, "refresh_token"));
  if (file.client_id.empty()) return Lacks(type, "client_id");
  if (file.refresh_token.empty()) return Lacks(type, "refresh_token");
  return file;
}

Surroundings Surroundings::OfProcess() {
  Surroundings surroundings;
  const std::string home = VariableOr("HOME", "");
  const std::string config =
      VariableOr("CLOUDSDK_CONFIG", home.empty() ? "" : absl::StrCat(home, "/.config/gcloud"));
  if (!config.empty()) {
    surroundings.default_file = absl::StrCat(config, "/application_default_credentials.json");
  }
  surroundings.metadata_url =
      absl::StrCat("http://", VariableOr("GCE_METADATA_HOST", "169.254.169.254"));
  return surroundings;
}

std::unique_ptr<TokenSource> TokensFor(common::HttpClient& http,
                                       absl::StatusOr<CredentialsFile> file,
                                       const common::Clock& clock) {
  if (!file.ok()) return NoToken(CredentialsRefused(file.status().message()));
  return std::make_unique<FileTokenSource>(http, *std::move(file), clock);
}

std::unique_ptr<TokenSource> DefaultTokens(common::HttpClient& http, Surroundings surroundings,
                                           const common::Clock& clock) {
  return std::make_unique<DefaultTokenSource>(http, std::move(surroundings), clock);
}

}  // namespace machine::driver::gce
