// Waiting for a provider: growing, jittered pauses that end with the call.
#ifndef DRIVERS_SDK_CLOUD_AWAIT_H_
#define DRIVERS_SDK_CLOUD_AWAIT_H_

#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver {

/// Pauses between looks at a provider.
struct Backoff {
  absl::Duration first = absl::Milliseconds(500);
  absl::Duration slowest = absl::Seconds(5);
};

/// The pause after look number `look` (from 1): between half and the whole of first * 1.5^(look-1),
/// at most slowest.
absl::Duration PauseAfter(const Backoff& backoff, int look);

/// Whether the same request may succeed later: UNAVAILABLE, or a rate limit.
bool IsTransient(const absl::Status& status);

/// Whether a request that failed so may have been carried out all the same: the answer was lost, or
/// said nothing.
bool MayHaveHappened(const absl::Status& status);

/// Waits before look number `look` + 1, longer if `failure` asks for it by RetryInfo. Errors: those
/// of CallScope::Check().
absl::Status PauseBetweenLooks(const common::CallScope& call, const Backoff& backoff, int look,
                               const absl::Status& failure = absl::OkStatus());

/// Calls `look` until it returns a value or an error that is not transient. Ends with the call's
/// deadline or cancellation; the deadline's message then has the last transient error.
template <typename T>
absl::StatusOr<T> Await(const common::CallScope& call, const Backoff& backoff,
                        absl::FunctionRef<absl::StatusOr<std::optional<T>>()> look) {
  for (int looks = 1;; ++looks) {
    absl::StatusOr<std::optional<T>> seen = look();
    if (seen.ok() && seen->has_value()) return **std::move(seen);
    if (!seen.ok() && !IsTransient(seen.status())) return seen.status();
    const absl::Status pause = PauseBetweenLooks(call, backoff, looks, seen.status());
    if (!pause.ok()) return pause;
  }
}

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_AWAIT_H_
