// Signature version 4 of AWS: how a request proves who sends it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#ifndef DRIVERS_AMAZONEC2_SIGV4_H_
#define DRIVERS_AMAZONEC2_SIGV4_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/http/http_message.h"

namespace machine::driver::amazonec2 {

/// A key, of a user or for a while.
struct AwsCredentials {
  std::string access_key_id;
  common::SecretString secret_access_key;
  /// Of temporary credentials; else empty.
  common::SecretString session_token;
  /// When they end; no value for those that do not.
  std::optional<absl::Time> expiry;
};

/// What a signature is good for.
struct SigningScope {
  /// "eu-central-1".
  std::string region;
  /// "ec2", "ssm" or "sts".
  std::string service;
};

/// Adds the fields X-Amz-Date, X-Amz-Security-Token and Authorization to `request`, which is
/// complete but for them and whose URL has no query. All fields of the header are signed.
void SignRequest(const AwsCredentials& credentials, const SigningScope& scope, absl::Time now,
                 common::HttpRequest& request);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_SIGV4_H_
