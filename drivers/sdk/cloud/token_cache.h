// Tokens that end: fetched once for all calls of an account, and renewed in time.
#ifndef DRIVERS_SDK_CLOUD_TOKEN_CACHE_H_
#define DRIVERS_SDK_CLOUD_TOKEN_CACHE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/clock/clock.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// Keeps a `Token`, which has an absl::Time `expires`, until `renew_before` its end, or for half of
/// its life where that is longer. Thread-safe; at most one thread fetches, others wait for it as
/// long as their call lasts.
template <typename Token>
class TokenCache {
 public:
  using Fetch = std::function<absl::StatusOr<Token>(const common::CallScope&)>;

  TokenCache(Fetch fetch, absl::Duration renew_before,
             const common::Clock& clock = common::Clock::Real())
      : fetch_(std::move(fetch)), renew_before_(renew_before), clock_(clock) {}

  /// Errors: those of the fetch, CallScope::Check().
  absl::StatusOr<std::shared_ptr<const Token>> Get(const common::CallScope& call) {
    {
      absl::MutexLock lock(&mu_);
      while (!IsFresh() && fetching_) {
        // Short, so that a cancelled call does not wait for somebody else's fetch.
        constexpr absl::Duration kLook = absl::Milliseconds(20);
        const auto fetched = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !fetching_; };
        mu_.AwaitWithTimeout(absl::Condition(&fetched), kLook);
        DM_RETURN_IF_ERROR(call.Check());
      }
      if (IsFresh()) return token_;
      fetching_ = true;
    }
    absl::StatusOr<Token> fetched = fetch_(call);
    absl::MutexLock lock(&mu_);
    fetching_ = false;
    if (!fetched.ok()) return fetched.status();
    const absl::Time now = clock_.Now();
    fresh_until_ = std::max(fetched->expires - renew_before_, now + (fetched->expires - now) / 2);
    token_ = std::make_shared<const Token>(*std::move(fetched));
    return token_;
  }

  /// Has the next Get() fetch, because the provider refused `refused`, unless another token has
  /// taken its place already.
  void Forget(const std::shared_ptr<const Token>& refused) {
    absl::MutexLock lock(&mu_);
    if (token_ == refused) token_ = nullptr;
  }

 private:
  bool IsFresh() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return token_ != nullptr && clock_.Now() < fresh_until_;
  }

  const Fetch fetch_;
  const absl::Duration renew_before_;
  const common::Clock& clock_;
  absl::Mutex mu_;
  bool fetching_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<const Token> token_ ABSL_GUARDED_BY(mu_);
  absl::Time fresh_until_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_TOKEN_CACHE_H_
