// Access tokens for Azure Resource Manager: given as such, or fetched for a service principal, for
// the identity of the virtual machine that the driver runs on, or from the Azure CLI.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
#ifndef DRIVERS_AZURE_AZURE_AUTH_H_
#define DRIVERS_AZURE_AZURE_AUTH_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/azure/settings.h"
#include "drivers/sdk/cloud/token.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/http/http_client.h"

namespace machine::driver::azure {

/// A certificate and its private key.
struct ClientCertificate {
  /// base64url of the SHA-1 digest of the certificate: what Entra ID calls x5t.
  std::string thumbprint;
  /// PEM.
  common::SecretString private_key;
};

/// Reads a PEM file with one or more certificates, of which the first counts, and a private key
/// without a passphrase. INVALID_ARGUMENT saying what is missing, without anything of the content.
absl::StatusOr<ClientCertificate> ParseClientCertificate(absl::string_view pem);

/// Where credentials are looked for when none are given.
struct Surroundings {
  /// The metadata service (IMDS); empty for none.
  std::string metadata_url;
  /// The Azure CLI: a program's path, or its name; empty for none.
  std::string cli;

  /// "http://169.254.169.254" and "az".
  static Surroundings OfProcess();
};

/// Tokens for what `credentials` hold; where they hold nothing, of the metadata service, else of
/// the Azure CLI. `http` and `clock` outlive it.
std::unique_ptr<TokenSource> TokensFor(common::HttpClient& http, const Credentials& credentials,
                                       const Surroundings& surroundings,
                                       const common::Clock& clock = common::Clock::Real());

/// The tenant that a challenge of Resource Manager names: the last part of authorization_uri in
///   Bearer authorization_uri="https://login.windows.net/TENANT", error="invalid_token", …
/// Empty where there is none.
std::string TenantOfChallenge(absl::string_view www_authenticate);

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_AZURE_AUTH_H_
