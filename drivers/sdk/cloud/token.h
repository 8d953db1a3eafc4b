// Access tokens that end (OAuth 2, RFC 6749): where they come from, and keeping them meanwhile.
#ifndef DRIVERS_SDK_CLOUD_TOKEN_H_
#define DRIVERS_SDK_CLOUD_TOKEN_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "drivers/sdk/cloud/token_cache.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/secret_string.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver {

/// A token for the header, and when it ends.
struct AccessToken {
  common::SecretString value;
  /// absl::InfiniteFuture() where nobody knows.
  absl::Time expires = absl::InfiniteFuture();
};

/// Where an account's tokens come from. Thread-safe; blocks.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  /// A token that is good for a while yet. Errors: UNAUTHENTICATED PROVIDER_CREDENTIALS that says
  /// whose credentials were refused, or that there are none; UNAVAILABLE PROVIDER_DOWN.
  virtual absl::StatusOr<AccessToken> Fetch(const common::CallScope& call) const = 0;
};

/// Always `token`.
std::unique_ptr<TokenSource> GivenToken(absl::string_view token);

/// None, for that reason.
std::unique_ptr<TokenSource> NoToken(absl::Status reason);

/// UNAUTHENTICATED PROVIDER_CREDENTIALS.
absl::Status CredentialsRefused(absl::string_view message);

/// Fields as application/x-www-form-urlencoded.
std::string FormOf(const std::vector<std::pair<std::string, std::string>>& fields);

/// The token in the answer of a token endpoint (RFC 6749, section 5), `now` being when it came.
/// `provider` and `whose` ("service account x") are for messages. Errors: those of
/// TokenSource::Fetch().
absl::StatusOr<AccessToken> ReadToken(const absl::StatusOr<common::HttpResponse>& response,
                                      absl::string_view provider, absl::string_view whose,
                                      absl::Time now);

/// Keeps a token until shortly before it ends, so that a thousand requests need one. Thread-safe.
class AccessTokenCache {
 public:
  explicit AccessTokenCache(std::unique_ptr<TokenSource> source,
                            const common::Clock& clock = common::Clock::Real());

  /// Errors: those of TokenSource::Fetch(), CallScope::Check().
  absl::StatusOr<common::SecretString> Get(const common::CallScope& call);

  /// Has the next Get() fetch, because the provider refused what Get() gave. False where that would
  /// give the same again.
  bool Forget();

 private:
  const std::unique_ptr<TokenSource> source_;
  TokenCache<AccessToken> tokens_;
  absl::Mutex mu_;
  std::shared_ptr<const AccessToken> last_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_TOKEN_H_
