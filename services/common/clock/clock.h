// Time as a dependency, so that no test sleeps.
#ifndef SERVICES_COMMON_CLOCK_CLOCK_H_
#define SERVICES_COMMON_CLOCK_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace machine::common {

/// Wall-clock and steady time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  /// The wall clock: for records and certificates. May jump.
  virtual absl::Time Now() const = 0;

  /// Time since some fixed moment that never goes back: for leases, deadlines and delays.
  virtual absl::Duration Steady() const = 0;

  /// The process's clock.
  static const Clock& Real();
};

/// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'700'000'000)) : now_(now) {}

  absl::Time Now() const override;
  absl::Duration Steady() const override;

  /// Moves both clocks.
  void Advance(absl::Duration by);
  /// Moves the wall clock only, as an administrator or NTP would.
  void JumpWallClock(absl::Duration by);

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
  absl::Duration steady_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_CLOCK_CLOCK_H_
