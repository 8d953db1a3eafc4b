#include "services/orchestrator/engine/failpoints.h"

#include <signal.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::orchestrator {

Failpoints Failpoints::FromEnvironment() {
  const char* const value = std::getenv("MACHINE_FAILPOINTS");
  if (value == nullptr) return Failpoints({});
  return Failpoints(absl::StrSplit(value, ',', absl::SkipEmpty()));
}

void Failpoints::Pass(absl::string_view verb, absl::string_view step,
                      absl::string_view point) const {
  if (armed_.empty() || armed_.count(absl::StrCat(verb, ".", step, ".", point)) == 0) return;
  raise(SIGKILL);
}

}  // namespace machine::orchestrator
