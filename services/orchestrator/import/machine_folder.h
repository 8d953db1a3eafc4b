// The folders of machines as the original keeps them, for programs that read them.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_MACHINE_FOLDER_H_
#define SERVICES_ORCHESTRATOR_IMPORT_MACHINE_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "services/orchestrator/certs/certificates.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Whose a folder below "machines" is.
enum class FolderOwner { kNobody, kUs, kSomebodyElse };

/// A folder is ours when its config.json has a "MachineUid", and nobody's when there is none or it
/// is empty. Touches the disk.
FolderOwner OwnerOfMachineFolder(const std::string& folder);

/// Keeps `STORAGE/machines/NAME/` and `STORAGE/certs/` in step with the records. GitLab Runner and
/// scripts read config.json, ca.pem, cert.pem, key.pem, id_rsa and id_rsa.pub there; this program
/// never reads them back. So they are written without waiting for the disk, and `Reconcile()` and
/// the next `Write()` put right what a crash has left.
///
/// A folder is ours when its config.json has a "MachineUid". Others, as of the original, are never
/// touched, but for that of a machine which was imported from just there: it is left as it is until
/// its certificates or key have to change; then the files that change are copied to
/// `STORAGE/imported/NAME/` first. Thread-safe. Touches the disk: not in a reaction.
class MachineFolder {
 public:
  /// `storage_path` is absolute.
  explicit MachineFolder(absl::string_view storage_path) : storage_path_(storage_path) {}

  /// Writes what has changed. Each file is replaced in one step; those with a key have mode 0600,
  /// folders 0700. Without `ssh_private_key` there is no id_rsa.
  /// Errors: FAILED_PRECONDITION when the folder is not ours; as the file system says.
  absl::Status Write(const MachineRecord& record, const ClientBundle& bundle,
                     absl::string_view ssh_private_key);

  /// Removes the machine's folder. OK when there is none or it is not ours. `imported_from` is the
  /// machine's, if it is known.
  absl::Status Remove(absl::string_view name, absl::string_view imported_from = "");

  /// Removes our folders of machines that are not among `names`.
  absl::Status Reconcile(const std::vector<std::string>& names);

  /// Whether `name` is taken by a folder, or something else, that is not ours.
  bool ForeignFolderExists(absl::string_view name);

  /// Whether the machine's folder, whoever's it is, has these certificates and this key.
  bool HasBundle(absl::string_view name, const ClientBundle& bundle) const;

  /// Where the machine's folder is, or would be.
  std::string PathOf(absl::string_view name) const;

 private:
  absl::Status WriteCerts(const ClientBundle& bundle);
  absl::Status RemoveLocked(absl::string_view name, absl::string_view imported_from)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  /// Whether the folder is the one that the machine was imported from, wherever links lead.
  bool IsImportedHere(absl::string_view name, absl::string_view imported_from) const;
  /// Copies what Write() would replace, once.
  absl::Status KeepOriginal(absl::string_view name) const;

  const std::string storage_path_;
  // So that a removal does not meet a write of the same machine half way.
  absl::Mutex mu_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_MACHINE_FOLDER_H_
