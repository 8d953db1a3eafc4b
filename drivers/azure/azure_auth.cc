#include "drivers/azure/azure_auth.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "drivers/azure/api_versions.h"
#include "drivers/sdk/cloud/json.h"
#include "drivers/sdk/cloud/json_api.h"
#include "services/common/crypto/random.h"
#include "services/common/crypto/signing.h"
#include "services/common/process/run.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

constexpr absl::string_view kProvider = "Azure";
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials: 5 to 10 minutes.
constexpr absl::Duration kAssertionLifetime = absl::Minutes(10);
constexpr absl::Duration kFetchTimeout = absl::Seconds(30);
// It is one hop away, or not there at all.
constexpr absl::Duration kMetadataTimeout = absl::Seconds(3);
constexpr absl::Duration kCliTimeout = absl::Seconds(30);
constexpr int64_t kMaxCliBytes = 1 << 20;
constexpr int kMaxAttempts = 3;

absl::Status NoCredentials() {
  return CredentialsRefused(
      "there are no credentials for Azure: give a service principal (--azure-client-id with "
      "--azure-subscription-cert or --azure-client-secret) or a token (--azure-access-token, from "
      "\"az account get-access-token\"), run the driver on a virtual machine with a managed "
      "identity, or run \"az login\" on the driver's host");
}

bool IsTenant(absl::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.';
  });
}

// A service principal, by certificate or secret.
class PrincipalTokenSource final : public TokenSource {
 public:
  PrincipalTokenSource(common::HttpClient& http, const Credentials& credentials,
                       std::optional<ClientCertificate> certificate, const common::Clock& clock)
      : http_(http),
        endpoint_(credentials.endpoint),
        audience_(credentials.audience),
        authority_(credentials.authority),
        subscription_(credentials.subscription),
        client_id_(credentials.client_id),
        secret_(credentials.client_secret),
        certificate_(std::move(certificate)),
        clock_(clock),
        tenant_(credentials.tenant) {}

  absl::StatusOr<AccessToken> Fetch(const common::CallScope& call) const override {
    DM_ASSIGN_OR_RETURN(const std::string tenant, Tenant(call));
    common::HttpRequest request;
    request.method = "POST";
    request.url = absl::StrCat(authority_, "/", tenant, "/oauth2/v2.0/token");
    request.headers.Add("Content-Type", "application/x-www-form-urlencoded");
    request.headers.Add("Accept", "application/json");
    DM_ASSIGN_OR_RETURN(request.body, Body(request.url));
    request.deadline = std::min(call.deadline(), absl::Now() + kFetchTimeout);
    request.max_attempts = kMaxAttempts;
    // Two tokens do no harm.
    request.retry_safe = true;
    request.cancelled = [&call] { return call.cancelled(); };
    return ReadToken(http_.Send(std::move(request)), kProvider,
                     absl::StrCat("service principal ", client_id_), clock_.Now());
  }

 private:
  absl::StatusOr<std::string> Body(absl::string_view token_url) const {
    std::vector<std::pair<std::string, std::string>> fields = {
        {"grant_type", "client_credentials"},
        {"client_id", client_id_},
        {"scope", absl::StrCat(audience_, "/.default")}};
    if (certificate_.has_value()) {
      DM_ASSIGN_OR_RETURN(std::string assertion, Assertion(token_url));
      fields.emplace_back("client_assertion_type",
                          "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
      fields.emplace_back("client_assertion", std::move(assertion));
    } else {
      fields.emplace_back("client_secret", std::string(secret_.view()));
    }
    return FormOf(fields);
  }

  // RFC 7523, section 3, with the header as Entra ID wants it.
  absl::StatusOr<std::string> Assertion(absl::string_view token_url) const {
    const Json header = {{"alg", "RS256"}, {"typ", "JWT"}, {"x5t", certificate_->thumbprint}};
    const int64_t now = absl::ToUnixSeconds(clock_.Now());
    const Json claims = {{"aud", std::string(token_url)},
                         {"iss", client_id_},
                         {"sub", client_id_},
                         {"jti", common::NewUuid()},
                         {"nbf", now},
                         {"iat", now},
                         {"exp", now + absl::ToInt64Seconds(kAssertionLifetime)}};
    const std::string signed_part = absl::StrCat(absl::WebSafeBase64Escape(DumpJson(header)), ".",
                                                 absl::WebSafeBase64Escape(DumpJson(claims)));
    DM_ASSIGN_OR_RETURN(const std::string signature,
                        common::SignRs256(certificate_->private_key.view(), signed_part));
    return absl::StrCat(signed_part, ".", absl::WebSafeBase64Escape(signature));
  }

  // As given, or as Resource Manager says when it is asked about the subscription by nobody.
  absl::StatusOr<std::string> Tenant(const common::CallScope& call) const {
    {
      absl::MutexLock lock(&mu_);
      if (!tenant_.empty()) return tenant_;
    }
    common::HttpRequest request;
    request.url = absl::StrCat(endpoint_, "/subscriptions/", subscription_,
                               "?api-version=", kSubscriptionVersion);
    request.headers.Add("Accept", "application/json");
    request.deadline = std::min(call.deadline(), absl::Now() + kFetchTimeout);
    request.max_attempts = kMaxAttempts;
    request.cancelled = [&call] { return call.cancelled(); };
    const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
    if (!response.ok()) return common::Annotate(response.status(), "finding out the tenant");
    if (response->status >= 500 || response->status == 429) {
      return common::ErrorOf(*response, "finding out the tenant", clock_.Now());
    }
    if (response->status == 404) {
      return CredentialsRefused(
          absl::StrCat("--", kSubscriptionFlag, ": Azure knows no subscription ", subscription_));
    }
    std::string tenant = TenantOfChallenge(response->headers.Get("WWW-Authenticate").value_or(""));
    if (tenant.empty()) {
      return CredentialsRefused(absl::StrCat("Azure does not say what tenant the subscription ",
                                             subscription_, " belongs to; give it with --",
                                             kTenantFlag));
    }
    absl::MutexLock lock(&mu_);
    tenant_ = tenant;
    return tenant;
  }

  common::HttpClient& http_;
  const std::string endpoint_;
  const std::string audience_;
  const std::string authority_;
  const std::string subscription_;
  const std::string client_id_;
  const common::SecretString secret_;
  const std::optional<ClientCertificate> certificate_;
  const common::Clock& clock_;
  mutable absl::Mutex mu_;
  mutable std::string tenant_ ABSL_GUARDED_BY(mu_);
};

// What the driver's own host has: a managed identity, or somebody signed in to the CLI.
class HostTokenSource final : public TokenSource {
 public:
  HostTokenSource(common::HttpClient& http, const Credentials& credentials,
                  Surroundings surroundings, const common::Clock& clock)
      : http_(http),
        audience_(credentials.audience),
        subscription_(credentials.subscription),
        client_id_(credentials.client_id),
        identity_only_(credentials.managed_identity),
        surroundings_(std::move(surroundings)),
        clock_(clock) {}

  absl::StatusOr<AccessToken> Fetch(const common::CallScope& call) const override {
    if (!surroundings_.metadata_url.empty()) {
      std::optional<absl::StatusOr<AccessToken>> token = AskMetadata(call);
      DM_RETURN_IF_ERROR(call.Check());
      // Without an identity the service is there and refuses.
      if (token.has_value() && (token->ok() || identity_only_ || surroundings_.cli.empty())) {
        return *std::move(token);
      }
    }
    if (identity_only_) {
      return CredentialsRefused(absl::StrCat("--", kManagedIdentityFlag,
                                             ": this host is no virtual machine of Azure with a "
                                             "managed identity"));
    }
    return surroundings_.cli.empty() ? NoCredentials() : AskCli(call);
  }

 private:
  // https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
  std::optional<absl::StatusOr<AccessToken>> AskMetadata(const common::CallScope& call) const {
    common::HttpRequest request;
    request.url = absl::StrCat(surroundings_.metadata_url,
                               "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=",
                               PercentEncode(absl::StrCat(audience_, "/")));
    if (!client_id_.empty()) absl::StrAppend(&request.url, "&client_id=", client_id_);
    request.headers.Add("Metadata", "true");
    request.deadline = std::min(call.deadline(), absl::Now() + kMetadataTimeout);
    request.proxy = "";
    request.max_attempts = 1;
    request.cancelled = [&call] { return call.cancelled(); };
    const absl::StatusOr<common::HttpResponse> response = http_.Send(std::move(request));
    // Other clouds have something else at that address.
    if (!response.ok() || !ParseJson(response->body).is_object()) return std::nullopt;
    return ReadToken(response, kProvider, "this virtual machine's managed identity", clock_.Now());
  }

  // https://learn.microsoft.com/cli/azure/account#az-account-get-access-token
  absl::StatusOr<AccessToken> AskCli(const common::CallScope& call) const {
    common::RunOptions options;
    options.timeout = std::min(kCliTimeout, call.deadline() - absl::Now());
    options.max_output_bytes = kMaxCliBytes;
    options.cancelled = [&call] { return call.cancelled(); };
    const absl::StatusOr<common::RunResult> run = common::RunProgram(
        {surroundings_.cli, "account", "get-access-token", "--output", "json", "--subscription",
         subscription_, "--resource", absl::StrCat(audience_, "/")},
        options);
    DM_RETURN_IF_ERROR(call.Check());
    if (!run.ok() || run->exit_code == 127) return NoCredentials();
    if (!run->ok()) {
      return CredentialsRefused(absl::StrCat("the Azure CLI gives no token (", run->ExitText(),
                                             "): run \"az login\" on the driver's "
                                             "host, or give a service principal with --",
                                             kClientFlag));
    }
    const Json answer = ParseJson(run->stdout_data);
    AccessToken token = {common::SecretString(Text(answer, "accessToken"))};
    // Of versions since 2.54; before there is local time without a zone.
    const int64_t expires = Number(answer, "expires_on");
    token.expires = expires > 0 ? absl::FromUnixSeconds(expires) : clock_.Now() + absl::Minutes(5);
    if (!token.value.empty() && token.value.view().find_first_of("\r\n") == std::string::npos) {
      return token;
    }
    return CredentialsRefused("what the Azure CLI printed has no token in it");
  }

  common::HttpClient& http_;
  const std::string audience_;
  const std::string subscription_;
  const std::string client_id_;
  const bool identity_only_;
  const Surroundings surroundings_;
  const common::Clock& clock_;
};

}  // namespace

absl::StatusOr<ClientCertificate> ParseClientCertificate(absl::string_view pem) {
  const absl::StatusOr<std::string> digest = common::CertificateSha1(pem);
  if (!digest.ok()) {
    return absl::InvalidArgumentError(
        "there is no certificate in the file; a PEM file with certificate and private key is "
        "needed, as \"az ad sp create-for-rbac --create-cert\" makes it");
  }
  const absl::Status usable = common::SignRs256(pem, "").status();
  if (!usable.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the file has a certificate, but no private key to use with it (", usable.message(),
        "); put an RSA key without a passphrase into the same PEM file"));
  }
  return ClientCertificate{absl::WebSafeBase64Escape(*digest),
                           common::SecretString(std::string(pem))};
}

Surroundings Surroundings::OfProcess() {
  return {.metadata_url = "http://169.254.169.254", .cli = "az"};
}

std::unique_ptr<TokenSource> TokensFor(common::HttpClient& http, const Credentials& credentials,
                                       const Surroundings& surroundings,
                                       const common::Clock& clock) {
  if (!credentials.token.empty()) return GivenToken(credentials.token);
  if (!credentials.managed_identity && !credentials.certificate.empty()) {
    absl::StatusOr<ClientCertificate> certificate = ParseClientCertificate(credentials.certificate);
    if (!certificate.ok()) return NoToken(CredentialsRefused(certificate.status().message()));
    return std::make_unique<PrincipalTokenSource>(http, credentials, *std::move(certificate),
                                                  clock);
  }
  if (!credentials.managed_identity && !credentials.client_secret.empty()) {
    return std::make_unique<PrincipalTokenSource>(http, credentials, std::nullopt, clock);
  }
  return std::make_unique<HostTokenSource>(http, credentials, surroundings, clock);
}

std::string TenantOfChallenge(absl::string_view www_authenticate) {
  constexpr absl::string_view kUri = "authorization_uri=\"";
  const size_t begin = www_authenticate.find(kUri);
  if (begin == absl::string_view::npos) return "";
  absl::string_view uri = www_authenticate.substr(begin + kUri.size());
  uri = absl::StripSuffix(uri.substr(0, uri.find('"')), "/");
  const absl::string_view tenant = uri.substr(uri.rfind('/') + 1);
  return IsTenant(tenant) ? std::string(tenant) : "";
}

}  // namespace machine::driver::azure
