#include "services/orchestrator/secrets/store_key.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

// Makes the names in the folder of `path` durable.
absl::Status SyncFolder(absl::string_view path) {
  const size_t slash = path.rfind('/');
  const std::string folder =
      slash == absl::string_view::npos ? "." : std::string(path.substr(0, slash + 1));
  const common::UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", folder));
  }
  return absl::OkStatus();
}

absl::Status WrongKeyFile(absl::string_view key_path, absl::string_view what,
                          absl::string_view wanted_id) {
  return absl::FailedPreconditionError(absl::StrCat("the key file ", key_path, " ", what,
                                                    ": the store's secrets were sealed with key ",
                                                    wanted_id,
                                                    "; put that file back, or copy it from another "
                                                    "orchestrator on this store"));
}

absl::StatusOr<common::SealingKey> OpenKeyFile(const KeySource& source, const KeyRecord& record) {
  if (!source.passphrase_path.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the store's secrets were sealed with key ", record.id,
        ", which is in a file, and not under a passphrase: leave --passphrase-file out, or have "
        "them sealed anew by machine-orchestrator store rotate-key"));
  }
  DM_RETURN_IF_ERROR(FinishKeyRotation(source.key_path, record).status());
  absl::StatusOr<common::SealingKey> key = common::SealingKey::FromFile(source.key_path);
  if (absl::IsNotFound(key.status())) {
    return WrongKeyFile(source.key_path, "is missing", record.id);
  }
  if (key.ok() && key->id() != record.id) {
    return WrongKeyFile(source.key_path, "is another one", record.id);
  }
  return key;
}

absl::StatusOr<common::SealingKey> OpenPassphrase(const KeySource& source,
                                                  const KeyRecord& record) {
  if (source.passphrase_path.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the store's secrets were sealed under a passphrase, key ", record.id,
                     ": name the file that holds it by --passphrase-file"));
  }
  DM_ASSIGN_OR_RETURN(common::SealingKey key, common::SealingKey::FromPassphraseFile(
                                                  source.passphrase_path, *record.derivation));
  if (key.id() != record.id) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the passphrase in ", source.passphrase_path,
        " is another one than that under which the store's secrets were sealed, key ", record.id));
  }
  DM_RETURN_IF_ERROR(FinishKeyRotation(source.key_path, record).status());
  return key;
}

}  // namespace

std::string KeyRecord::ToString() const {
  return derivation.has_value() ? absl::StrCat(id, " ", derivation->ToString()) : id;
}

absl::StatusOr<KeyRecord> KeyRecord::Parse(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  KeyRecord record{.id = std::string(parts.first), .derivation = std::nullopt};
  if (parts.second.empty()) return record;
  absl::StatusOr<common::ScryptParameters> derivation =
      common::ScryptParameters::Parse(parts.second);
  if (!derivation.ok()) {
    return common::Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
                         "the store does not say how its key is made from the passphrase: restore "
                         "it from a backup");
  }
  record.derivation = *std::move(derivation);
  return record;
}

absl::StatusOr<StoreKey> NewStoreKey(const KeySource& source) {
  KeyRecord record;
  if (!source.passphrase_path.empty()) record.derivation = common::ScryptParameters::New();
  DM_ASSIGN_OR_RETURN(
      common::SealingKey key,
      record.derivation.has_value()
          ? common::SealingKey::FromPassphraseFile(source.passphrase_path, *record.derivation)
          : common::SealingKey::FromNewFile(source.key_path));
  record.id = key.id();
  return StoreKey{std::move(key), std::move(record)};
}

absl::StatusOr<common::SealingKey> OpenStoreKey(const KeySource& source, const KeyRecord& record) {
  return record.derivation.has_value() ? OpenPassphrase(source, record)
                                       : OpenKeyFile(source, record);
}

std::string NextKeyPath(absl::string_view key_path) { return absl::StrCat(key_path, ".next"); }

absl::StatusOr<std::string> FinishKeyRotation(absl::string_view key_path, const KeyRecord& record) {
  const std::string path(key_path);
  const std::string next_path = NextKeyPath(key_path);
  const absl::StatusOr<common::SealingKey> current = common::SealingKey::FromFile(path);
  if (current.ok() && current->id() == record.id) return "";
  if (!record.derivation.has_value()) {
    const absl::StatusOr<common::SealingKey> next = common::SealingKey::FromFile(next_path);
    if (!next.ok() || next->id() != record.id) return "";
  } else if (!current.ok()) {
    return "";
  }
  std::string old_path;
  if (current.ok()) {
    old_path = absl::StrCat(path, ".", current->id());
    // It may be there from the attempt that was killed.
    if (link(path.c_str(), old_path.c_str()) != 0 && errno != EEXIST) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", old_path));
    }
  }
  const int moved = record.derivation.has_value() ? unlink(path.c_str())
                                                  : rename(next_path.c_str(), path.c_str());
  if (moved != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  DM_RETURN_IF_ERROR(SyncFolder(path));
  return old_path;
}

}  // namespace machine::orchestrator
