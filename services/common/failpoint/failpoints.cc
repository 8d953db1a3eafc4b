#include "services/common/failpoint/failpoints.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::common {

Failpoints Failpoints::FromEnvironment() {
  const char* const value = std::getenv("MACHINE_FAILPOINTS");
  return Failpoints(value == nullptr ? "" : value);
}

Failpoints::Failpoints(absl::string_view list) {
  for (const absl::string_view entry : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    std::pair<std::string, std::string> point = absl::StrSplit(entry, absl::MaxSplits('@', 1));
    armed_.insert(std::move(point));
  }
}

void Failpoints::Pass(absl::string_view what, absl::string_view step,
                      absl::string_view point) const {
  if (armed_.empty()) return;
  const auto armed = armed_.find(absl::StrCat(what, ".", step, ".", point));
  if (armed == armed_.end()) return;
  // Of several that pass at once, one removes the file.
  if (!armed->second.empty() && unlink(armed->second.c_str()) != 0) return;
  raise(SIGKILL);
}

}  // namespace machine::common
