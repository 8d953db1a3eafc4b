#include "tests/fakes/simcloud/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::fakes {
namespace {

using Json = nlohmann::json;

// Sorts as it counts.
std::string IdOf(absl::string_view kind, int64_t number) {
  return absl::StrCat(kind, "-", absl::Dec(number, absl::kZeroPad10));
}

}  // namespace

absl::StatusOr<Ledger> Ledger::Open(const std::string& path) {
  Ledger ledger(
      common::UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)));
  if (ledger.file_.get() < 0) return absl::ErrnoToStatus(errno, path);
  DM_ASSIGN_OR_RETURN(const std::string text, common::ReadFile(path));
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const Json entry = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object()) return absl::DataLossError(absl::StrCat(path, ": ", line));
    DM_RETURN_IF_ERROR(ledger.Apply(entry));
  }
  return ledger;
}

absl::StatusOr<SimObject> Ledger::Create(SimObject object) {
  object.id = IdOf(object.kind, next_id_);
  DM_RETURN_IF_ERROR(Write({{"do", "create"},
                            {"number", next_id_},
                            {"kind", object.kind},
                            {"tag", object.tag},
                            {"owner", object.owner},
                            {"size", object.size},
                            {"created", absl::ToUnixMicros(absl::Now())}}));
  return objects_.at(object.id);
}

absl::Status Ledger::SetPower(const std::string& id, bool on) {
  return Write({{"do", "power"}, {"id", id}, {"on", on}});
}

absl::Status Ledger::Delete(const std::string& id) {
  if (Find(id) == nullptr) return absl::OkStatus();
  return Write({{"do", "delete"}, {"id", id}});
}

const SimObject* Ledger::Find(const std::string& id) const {
  const auto it = objects_.find(id);
  return it == objects_.end() ? nullptr : &it->second;
}

std::vector<const SimObject*> Ledger::OfTag(absl::string_view tag) const {
  std::vector<const SimObject*> found;
  if (tag.empty()) {
    for (const auto& [id, object] : objects_) found.push_back(&object);
    return found;
  }
  const auto ids = ids_of_tag_.find(tag);
  if (ids == ids_of_tag_.end()) return found;
  for (const std::string& id : ids->second) found.push_back(&objects_.at(id));
  return found;
}

int64_t Ledger::created(const std::string& kind) const {
  const auto it = created_.find(kind);
  return it == created_.end() ? 0 : it->second;
}

absl::Status Ledger::Write(const Json& entry) {
  const std::string line = absl::StrCat(entry.dump(), "\n");
  if (write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return absl::ErrnoToStatus(errno, "writing the ledger");
  }
  return Apply(entry);
}

absl::Status Ledger::Apply(const Json& entry) {
  const std::string what = entry.value("do", "");
  if (what == "create") {
    const int64_t number = entry.value("number", int64_t{0});
    SimObject object = {.id = IdOf(entry.value("kind", ""), number),
                        .kind = entry.value("kind", ""),
                        .tag = entry.value("tag", ""),
                        .owner = entry.value("owner", ""),
                        .size = entry.value("size", ""),
                        .on = true,
                        .created = absl::FromUnixMicros(entry.value("created", int64_t{0}))};
    next_id_ = number + 1;
    ++created_[object.kind];
    ids_of_tag_[object.tag].push_back(object.id);
    objects_.emplace(object.id, std::move(object));
    return absl::OkStatus();
  }
  const auto object = objects_.find(entry.value("id", ""));
  if (object == objects_.end()) return absl::DataLossError(entry.dump());
  if (what == "power") {
    object->second.on = entry.value("on", false);
    return absl::OkStatus();
  }
  const auto ids = ids_of_tag_.find(object->second.tag);
  ids->second.erase(std::find(ids->second.begin(), ids->second.end(), object->first));
  if (ids->second.empty()) ids_of_tag_.erase(ids);
  objects_.erase(object);
  return absl::OkStatus();
}

}  // namespace machine::fakes
