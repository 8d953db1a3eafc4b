#include "services/provisioner/steps/daemon_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/provisioner/detect/facts.h"

namespace machine::provisioner {
namespace {

// Keeps the order of the keys, so that an administrator still knows the file.
using Json = nlohmann::ordered_json;

absl::string_view LabelKey(absl::string_view label) { return label.substr(0, label.find('=')); }

class Merger {
 public:
  Merger(Json& json, std::vector<std::string>& warnings, absl::string_view path)
      : json_(json), warnings_(warnings), path_(path) {}

  void Merge(const DaemonSetting& setting) {
    key_ = &setting.key;
    std::visit([this](const auto& value) { Put(value); }, setting.value);
  }

  void Put(const StringList& values) {
    Json& list = json_[*key_];
    if (!list.is_array()) {
      if (!list.is_null()) WarnReplaced();
      list = Json::array();
    }
    for (const std::string& value : values) {
      if (*key_ == "labels") RemoveSameLabel(list, value);
      if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
    }
  }

  void Put(const StringMap& values) {
    Json& map = json_[*key_];
    if (!map.is_object()) {
      if (!map.is_null()) WarnReplaced();
      map = Json::object();
    }
    for (const auto& [name, value] : values) map[name] = value;
  }

  template <typename T>
  void Put(const T& value) {
    Json& place = json_[*key_];
    if (place == Json(value)) return;
    if (!place.is_null()) WarnReplaced();
    place = value;
  }

 private:
  // The engine refuses two values of one label.
  static void RemoveSameLabel(Json& list, const std::string& label) {
    for (size_t i = 0; i < list.size();) {
      const auto* old = list[i].get_ptr<const std::string*>();
      if (old != nullptr && *old != label && LabelKey(*old) == LabelKey(label)) {
        list.erase(i);
      } else {
        ++i;
      }
    }
  }

  void WarnReplaced() {
    warnings_.push_back(absl::StrCat("\"", *key_, "\" in ", path_,
                                     " on the host had another value, which was replaced"));
  }

  Json& json_;
  std::vector<std::string>& warnings_;
  const absl::string_view path_;
  const std::string* key_ = nullptr;
};

Json ParseQuietly(const std::optional<std::string>& text) {
  return Json::parse(text.value_or("{}"), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

absl::StatusOr<MergedDaemonJson> MergeDaemonJson(const std::optional<std::string>& existing,
                                                 const EngineSettings& settings,
                                                 absl::string_view path) {
  // dockerd takes an empty file for an empty object.
  const bool empty = !existing.has_value() || absl::StripAsciiWhitespace(*existing).empty();
  const Json before = empty ? Json::object() : ParseQuietly(existing);
  if (!before.is_object()) {
    return common::Error(
        absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
        absl::StrCat(path, " on the host is not a JSON object; mend it or remove it"),
        {{"step", "configure"}, {"path", std::string(path)}});
  }
  MergedDaemonJson merged;
  Json after = before;
  Merger merger(after, merged.warnings, path);
  for (const DaemonSetting& setting : settings.daemon_json) merger.Merge(setting);
  merged.lists_hosts = before.contains("hosts");
  if (merged.lists_hosts) merger.Merge({"hosts", "host", settings.hosts});
  merged.changed = empty || after != before;
  merged.text = merged.changed
                    ? absl::StrCat(after.dump(2, ' ', false, Json::error_handler_t::replace), "\n")
                    : *existing;
  return merged;
}

std::string StorageDriverIn(const std::optional<std::string>& daemon_json) {
  const Json json = ParseQuietly(daemon_json);
  if (!json.is_object() || !json.contains("storage-driver")) return "";
  const auto* name = json["storage-driver"].get_ptr<const std::string*>();
  return name == nullptr ? "" : *name;
}

absl::StatusOr<std::string> WithLiveRestore(const std::optional<std::string>& daemon_json, bool on,
                                            absl::string_view path) {
  EngineSettings settings;
  settings.daemon_json.push_back({"live-restore", "live-restore", on});
  DM_ASSIGN_OR_RETURN(const MergedDaemonJson merged, MergeDaemonJson(daemon_json, settings, path));
  return merged.text;
}

bool LiveRestoreIn(const std::optional<std::string>& daemon_json) {
  const Json json = ParseQuietly(daemon_json);
  return json.is_object() && json.contains("live-restore") && json["live-restore"] == true;
}

}  // namespace machine::provisioner
