// How much of a child's log is passed on.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_LOG_LIMIT_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_LOG_LIMIT_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/time.h"

namespace machine::orchestrator {

/// Lets lines pass as long as they come no faster than a log can be read, so that a child that
/// prints without end fills neither the disk nor the time of this process. Not thread-safe.
class LogLimit {
 public:
  /// So many lines at once, and so many more each second.
  static constexpr double kBurst = 1000;
  static constexpr double kPerSecond = 100;

  /// `now` is of a clock that never goes back. False when the line is to be dropped.
  bool Pass(absl::Duration now) {
    tokens_ = std::min(kBurst, tokens_ + kPerSecond * absl::ToDoubleSeconds(now - last_));
    last_ = now;
    if (tokens_ < 1) {
      ++dropped_;
      return false;
    }
    tokens_ -= 1;
    return true;
  }

  /// Lines dropped since this was asked for last.
  int64_t TakeDropped() { return std::exchange(dropped_, 0); }

 private:
  double tokens_ = kBurst;
  absl::Duration last_ = absl::ZeroDuration();
  int64_t dropped_ = 0;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_LOG_LIMIT_H_
