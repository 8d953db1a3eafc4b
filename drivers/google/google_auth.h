// Access tokens for Google's APIs: given as such, or fetched for a service account, a signed-in
// user, or the virtual machine that the driver runs on.
// https://cloud.google.com/docs/authentication/application-default-credentials
#ifndef DRIVERS_GOOGLE_GOOGLE_AUTH_H_
#define DRIVERS_GOOGLE_GOOGLE_AUTH_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/token.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/http/http_client.h"

namespace machine::driver::gce {

/// What a token may be used for: Compute Engine, and no other product.
inline constexpr absl::string_view kComputeScope = "https://www.googleapis.com/auth/compute";

/// The content of a file with credentials, as Google hands it out.
struct CredentialsFile {
  enum class Type {
    /// A service account's key.
    kServiceAccount,
    /// What "gcloud auth application-default login" leaves behind.
    kAuthorizedUser,
  };

  Type type = Type::kServiceAccount;
  /// Where tokens are asked for.
  std::string token_uri;
  /// Of a service account.
  std::string client_email;
  std::string private_key_id;
  common::SecretString private_key;
  /// Of a user.
  std::string client_id;
  common::SecretString client_secret;
  common::SecretString refresh_token;
};

/// Reads such a file. INVALID_ARGUMENT, without anything of its content, when it is none of the two
/// types; names what to use instead of the others.
absl::StatusOr<CredentialsFile> ParseCredentialsFile(absl::string_view json);

/// Where credentials are looked for when none are given.
struct Surroundings {
  /// gcloud's file of application-default credentials; empty for none.
  std::string default_file;
  /// The metadata server of the virtual machine that this is, if it is one; empty for none.
  std::string metadata_url;

  /// Of this process: CLOUDSDK_CONFIG, HOME, GCE_METADATA_HOST.
  static Surroundings OfProcess();
};

/// Tokens for what a file says; where it could not be read, none, for that reason. `http` and
/// `clock` outlive it, as below.
std::unique_ptr<TokenSource> TokensFor(common::HttpClient& http,
                                       absl::StatusOr<CredentialsFile> file,
                                       const common::Clock& clock = common::Clock::Real());

/// Tokens for the application-default file of `surroundings`, if it is there when one is asked for,
/// else of the metadata server.
std::unique_ptr<TokenSource> DefaultTokens(common::HttpClient& http, Surroundings surroundings,
                                           const common::Clock& clock = common::Clock::Real());

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_GOOGLE_AUTH_H_
