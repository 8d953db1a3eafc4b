// Places where a test makes the process die as kill -9 would.
#ifndef SERVICES_COMMON_FAILPOINT_FAILPOINTS_H_
#define SERVICES_COMMON_FAILPOINT_FAILPOINTS_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::common {

/// Whatever has an effect passes `WHAT.STEP.before_effect`, `.after_effect` and `.after_commit`.
/// Thread-safe.
class Failpoints {
 public:
  /// From MACHINE_FAILPOINTS, as the constructor takes it; none where it is not set.
  static Failpoints FromEnvironment();

  /// A comma-separated list of points that end the process by SIGKILL. `POINT@FILE` does so only
  /// where FILE is there, and removes it first: once, though the program is started again with the
  /// same environment.
  explicit Failpoints(absl::string_view list);

  /// Does not return when the point is armed.
  void Pass(absl::string_view what, absl::string_view step, absl::string_view point) const;

 private:
  // By point; the file, empty for none.
  std::map<std::string, std::string> armed_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_FAILPOINT_FAILPOINTS_H_
