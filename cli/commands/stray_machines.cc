#include "cli/commands/stray_machines.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"

namespace machine::cli {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;
constexpr size_t kMaxNames = 3;

// Ours have a "MachineUid", which the orchestrator writes.
bool IsOfTheOriginal(const std::string& folder) {
  const absl::StatusOr<std::string> text =
      common::ReadFile(folder + "/config.json", kMaxConfigBytes);
  if (!text.ok()) return false;
  const auto config = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return config.is_object() && config.contains("DriverName") && !config.contains("MachineUid");
}

}  // namespace

std::vector<std::string> StrayMachines(absl::string_view storage_path,
                                       absl::Span<const std::string> known) {
  const std::set<std::string> known_names(known.begin(), known.end());
  std::vector<std::string> names;
  std::error_code error;
  const std::string folder = absl::StrCat(storage_path, "/machines");
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (known_names.count(name) > 0) continue;
    if (IsOfTheOriginal(entry->path().string())) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string StrayHint(absl::string_view storage_path, absl::Span<const std::string> names) {
  if (names.empty()) return "";
  const bool many = names.size() > kMaxNames;
  const bool one = names.size() == 1;
  return absl::StrCat(one ? "A machine" : absl::StrCat(names.size(), " machines"),
                      " of another docker-machine ", one ? "is" : "are", " in ", storage_path, ": ",
                      absl::StrJoin(names.subspan(0, many ? kMaxNames : names.size()), ", "),
                      many ? ", ...\n" : "\n", "To take ", one ? "it" : "them",
                      " over, run: docker-machine import\n");
}

std::string StrayHintFor(absl::string_view storage_path, absl::string_view message,
                         absl::Span<const std::string> words) {
  std::vector<std::string> names;
  for (const std::string& word : words) {
    if (word.empty() || absl::StrContains(word, '/')) continue;
    if (!absl::StrContains(message, absl::StrCat("Docker machine \"", word, "\" does not exist"))) {
      continue;
    }
    if (IsOfTheOriginal(common::MachineFolder(storage_path, word))) names.push_back(word);
  }
  return StrayHint(storage_path, names);
}

}  // namespace machine::cli
