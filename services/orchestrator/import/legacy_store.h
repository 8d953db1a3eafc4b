// A store of the original on disk, read and never changed.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_LEGACY_STORE_H_
#define SERVICES_ORCHESTRATOR_IMPORT_LEGACY_STORE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/orchestrator/import/legacy_entry.h"
#include "services/orchestrator/import/store_tls.h"

namespace machine::orchestrator {

/// The files of a machine. Empty where there is none.
struct LegacyFiles {
  StoreTls tls;
  std::string server_cert_pem;
  std::string server_key_pem;
  std::string ssh_private_key;
};

/// The folder that was the original's MACHINE_STORAGE_PATH. Touches the disk at each call.
class LegacyStore {
 public:
  /// INVALID_ARGUMENT for a relative path, NOT_FOUND when there is no folder "machines" in it.
  static absl::StatusOr<LegacyStore> Open(absl::string_view path);

  /// Names of the original's machines in natural order. Folders of ours, which have a "MachineUid",
  /// are not among them.
  absl::StatusOr<std::vector<std::string>> Names() const;

  std::string FolderOf(absl::string_view name) const;

  /// The text of config.json. FAILED_PRECONDITION with a reason for people.
  absl::StatusOr<std::string> ReadConfig(absl::string_view name) const;

  /// The files of a machine: in its folder, else in the store's "certs", else where `paths` say;
  /// the store may have been moved since they were written.
  LegacyFiles ReadFiles(absl::string_view name, const LegacyPaths& paths) const;

 private:
  explicit LegacyStore(std::string path) : path_(std::move(path)) {}

  std::string Find(absl::string_view name, absl::string_view written,
                   absl::string_view usual) const;

  std::string path_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_LEGACY_STORE_H_
