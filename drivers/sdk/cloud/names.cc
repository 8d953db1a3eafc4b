#include "drivers/sdk/cloud/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace machine::driver {
namespace {

constexpr absl::string_view kUidPrefix = "machine-uid-";

}  // namespace

std::string UidTag(absl::string_view uid) { return absl::StrCat(kUidPrefix, uid); }

std::optional<std::string> UidOfTag(absl::string_view tag) {
  if (!absl::ConsumePrefix(&tag, kUidPrefix) || tag.empty()) return std::nullopt;
  return std::string(tag);
}

std::string OrchestratorTag(absl::string_view orchestrator_id) {
  return absl::StrCat("machine-orchestrator-", orchestrator_id);
}

std::string HostName(absl::string_view machine_name, size_t max_bytes, bool allow_dots) {
  std::string name;
  for (const char c : machine_name.substr(0, max_bytes)) {
    const bool keep =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || (allow_dots && c == '.');
    name.push_back(keep ? absl::ascii_tolower(static_cast<unsigned char>(c)) : '-');
  }
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  while (!name.empty() && edge(name.back())) name.pop_back();
  name.erase(name.begin(), std::find_if_not(name.begin(), name.end(), edge));
  return name.empty() ? "machine" : name;
}

}  // namespace machine::driver
