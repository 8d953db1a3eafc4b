#include "cli/commands/program_version.h"

#include "absl/strings/str_cat.h"
#include "services/common/version/build_id.h"
#include "services/common/version/version.h"

namespace machine::cli {

std::string ProgramVersion() {
  return absl::StrCat(common::kVersion, ", build ", common::BuildId());
}

}  // namespace machine::cli
