// The one way to make an outside object where the provider takes no idempotency key.
#ifndef DRIVERS_SDK_CLOUD_CREATE_ONCE_H_
#define DRIVERS_SDK_CLOUD_CREATE_ONCE_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/sdk/adopt.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/driver_call.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// How long a provider's lists may lag behind what it has made.
struct Settling {
  /// Looks before something counts as never made.
  int looks = 6;
  Backoff backoff = {absl::Seconds(1), absl::Seconds(5)};
};

/// What `find` finds, looking again for as long as the provider may need to show it.
template <typename Instance, typename Find>
absl::StatusOr<std::optional<Instance>> FindSettled(const common::CallScope& call,
                                                    const Settling& settling, Find find) {
  for (int look = 1;; ++look) {
    absl::StatusOr<std::optional<Instance>> found = find();
    const bool transient = !found.ok() && IsTransient(found.status());
    if (look >= settling.looks || (found.ok() && found->has_value()) ||
        (!found.ok() && !transient)) {
      return found;
    }
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, settling.backoff, look, found.status()));
  }
}

/// AdoptOrCreate() for a provider that would make a second instance without a word, and whose lists
/// lag: nothing is made while an earlier request may still turn out to have made it.
///
/// `maybe_made` says that such a request may have been sent before this call: checkpoint that
/// before the first one. When the answer to `create` is lost, the instance is looked for before it
/// is asked for again, three times in all.
template <typename Instance, typename Find, typename Create, typename Matches>
absl::StatusOr<Instance> CreateOnce(DriverCall& call, const Settling& settling, bool maybe_made,
                                    Find find, Create create, Matches matches) {
  constexpr int kMaxAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    const auto look = [&]() -> absl::StatusOr<std::optional<Instance>> {
      return maybe_made ? FindSettled<Instance>(call, settling, find) : find();
    };
    absl::StatusOr<Instance> made = AdoptOrCreate<Instance>(call, look, create, matches);
    if (made.ok() || !MayHaveHappened(made.status()) || attempt == kMaxAttempts) return made;
    DM_RETURN_IF_ERROR(call.Check());
    maybe_made = true;
  }
}

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_CREATE_ONCE_H_
