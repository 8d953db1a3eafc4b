// Where the credentials of an account come from: options, the environment, the shared files with
// profiles and roles, and at last the instance that the driver runs on.
#ifndef DRIVERS_AMAZONEC2_CREDENTIALS_H_
#define DRIVERS_AMAZONEC2_CREDENTIALS_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "drivers/amazonec2/profile.h"
#include "drivers/amazonec2/sigv4.h"
#include "drivers/sdk/cloud/await.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::amazonec2 {

inline constexpr absl::string_view kAccessKeyFlag = "amazonec2-access-key";
inline constexpr absl::string_view kSecretKeyFlag = "amazonec2-secret-key";
inline constexpr absl::string_view kSessionTokenFlag = "amazonec2-session-token";
inline constexpr absl::string_view kProfileFlag = "amazonec2-profile";
inline constexpr absl::string_view kRoleFlag = "amazonec2-role-arn";

/// What the options say of an account.
struct AccountSettings {
  std::string region;
  /// One endpoint for all services; empty for AWS's own.
  std::string endpoint;
  std::string access_key;
  /// Secret.
  std::string secret_key;
  /// Secret; of temporary credentials.
  std::string session_token;
  /// Of the shared files; may be empty.
  std::string profile;
  /// A role to take on with those credentials; may be empty.
  std::string role_arn;
};

/// AWS's endpoint of `service` ("ec2", "ssm", "sts") in a region, or `settings.endpoint`.
std::string EndpointOf(const AccountSettings& settings, absl::string_view service);

/// The credentials of one account. They are found at the first use, in this order:
///
///  1. the options' key, if there is one;
///  2. the profile that the options name;
///  3. AWS_ACCESS_KEY_ID and its companions in the environment of the driver;
///  4. the profile AWS_PROFILE, or "default", where the files have it;
///  5. the role of the instance that the driver runs on (IMDSv2).
///
/// A profile with a role_arn takes on that role (STS AssumeRole), as does AccountSettings::role_arn
/// on top of all of these. Temporary credentials are renewed five minutes before they end.
/// Thread-safe; blocks.
class CredentialsChain {
 public:
  /// `http` outlives it.
  CredentialsChain(common::HttpClient& http, AccountSettings settings, const Backoff& retry,
                   Environment environment = ProcessEnvironment);

  /// Errors: UNAUTHENTICATED PROVIDER_CREDENTIALS that says what was looked at; of STS and of the
  /// metadata service.
  absl::StatusOr<AwsCredentials> Get(const common::CallScope& call);

 private:
  absl::StatusOr<AwsCredentials> Find(const common::CallScope& call) const;
  absl::StatusOr<AwsCredentials> FindBase(const common::CallScope& call) const;
  std::optional<AwsCredentials> OfEnvironment() const;
  absl::StatusOr<AwsCredentials> OfProfile(const common::CallScope& call, const Profiles& profiles,
                                           const std::string& name, int depth) const;
  absl::StatusOr<AwsCredentials> OfSource(const common::CallScope& call, absl::string_view name,
                                          absl::string_view source) const;
  absl::StatusOr<AwsCredentials> OfInstance(const common::CallScope& call) const;
  absl::StatusOr<std::string> AskInstance(const common::CallScope& call, absl::string_view method,
                                          absl::string_view path, absl::string_view token) const;
  absl::StatusOr<AwsCredentials> AssumeRole(const common::CallScope& call,
                                            const AwsCredentials& base, const Profile& role) const;

  common::HttpClient& http_;
  const AccountSettings settings_;
  const Backoff retry_;
  const Environment environment_;
  absl::Mutex mu_;
  std::optional<AwsCredentials> known_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_CREDENTIALS_H_
