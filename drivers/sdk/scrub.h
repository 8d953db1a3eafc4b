// The last guard of secrets: what a driver says is searched for those that its call carried.
#ifndef DRIVERS_SDK_SCRUB_H_
#define DRIVERS_SDK_SCRUB_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "driver/v1/driver.pb.h"
#include "machine/v1/machine.pb.h"

namespace machine::driver {

/// Knows the secrets of one call. Copyable, immutable, thread-safe.
class Scrubber {
 public:
  Scrubber() = default;
  void Add(const ::driver::v1::MachineRef& machine);
  void Add(const machine::v1::OptionValue& option);

  /// `text` with "[secret]" in place of every secret.
  std::string Clean(absl::string_view text) const;
  /// `status` with its message cleaned; details that hold a secret are dropped.
  absl::Status Clean(const absl::Status& status) const;

 private:
  std::vector<std::string> secrets_;
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_SCRUB_H_
