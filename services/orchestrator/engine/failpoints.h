// Places where a test makes the process die as kill -9 would.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_FAILPOINTS_H_
#define SERVICES_ORCHESTRATOR_ENGINE_FAILPOINTS_H_

#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace machine::orchestrator {

/// Each step passes `VERB.STEP.before_effect`, `.after_effect` and `.after_commit`. Thread-safe.
class Failpoints {
 public:
  /// From MACHINE_FAILPOINTS: a comma-separated list of points that end the process by SIGKILL.
  static Failpoints FromEnvironment();

  explicit Failpoints(std::set<std::string> armed) : armed_(std::move(armed)) {}

  /// Does not return when the point is armed.
  void Pass(absl::string_view verb, absl::string_view step, absl::string_view point) const;

 private:
  std::set<std::string> armed_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_FAILPOINTS_H_
