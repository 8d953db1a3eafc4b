// Kills the driver at a call of its tools: the stand-in for the tool does it, so the moment is
// exact.
#ifndef TESTS_FAKES_KILLER_DRIVER_KILLER_H_
#define TESTS_FAKES_KILLER_DRIVER_KILLER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::fakes {

enum class KillSide { kBeforeEffect, kAfterEffect };

/// An order to kill, in a file of the tools' folder. For the test.
class KillOrder {
 public:
  explicit KillOrder(absl::string_view folder);

  /// The driver is to be killed by the tool's call number `call` from now, from 1.
  void Arm(int call, KillSide side) const;
  /// Withdraws it. False when it was carried out already.
  bool Disarm() const;

 private:
  const std::string path_;
};

/// What the tool's stand-in does about the order; made once in each of its runs, while it holds the
/// lock of its folder.
class DriverKiller {
 public:
  /// Counts this call.
  explicit DriverKiller(absl::string_view folder);

  /// Kills the nearest ancestor that is a machine-driver, if it is time.
  void BeforeEffect();
  void AfterEffect();

 private:
  void Kill();

  const std::string path_;
  bool due_ = false;
  KillSide side_ = KillSide::kBeforeEffect;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_KILLER_DRIVER_KILLER_H_
