// What a simulated provider owns, kept in a file: the judge of every test with it.
#ifndef TESTS_FAKES_SIMCLOUD_LEDGER_H_
#define TESTS_FAKES_SIMCLOUD_LEDGER_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"

namespace machine::fakes {

/// One object: an instance, or what belongs to one.
struct SimObject {
  std::string id;
  /// "instances", "keys", "rules", "disks" or "ips".
  std::string kind;
  /// Whose it is: the tag computed from the machine's uid.
  std::string tag;
  /// Tag of the orchestrator.
  std::string owner;
  std::string size;
  bool on = false;
  absl::Time created;
};

/// Every create, change and delete is one line of a file, written before it is answered; a new
/// process reads them again. Not thread-safe.
class Ledger {
 public:
  /// Opens or makes the file. Errors: DATA_LOSS for a line that is none of ours.
  static absl::StatusOr<Ledger> Open(const std::string& path);

  /// Gives it an id and writes it down.
  absl::StatusOr<SimObject> Create(SimObject object);
  absl::Status SetPower(const std::string& id, bool on);
  /// OK when it is not there.
  absl::Status Delete(const std::string& id);

  /// Null when there is none.
  const SimObject* Find(const std::string& id) const;
  /// Those of `tag`, in the order of their creation; all for an empty one.
  std::vector<const SimObject*> OfTag(absl::string_view tag) const;
  /// How many objects of `kind` were ever created.
  int64_t created(const std::string& kind) const;

 private:
  explicit Ledger(common::UniqueFd file) : file_(std::move(file)) {}

  absl::Status Write(const nlohmann::json& entry);
  absl::Status Apply(const nlohmann::json& entry);

  common::UniqueFd file_;
  std::map<std::string, SimObject> objects_;
  std::map<std::string, std::vector<std::string>, std::less<>> ids_of_tag_;
  std::map<std::string, int64_t> created_;
  int64_t next_id_ = 1;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_SIMCLOUD_LEDGER_H_
