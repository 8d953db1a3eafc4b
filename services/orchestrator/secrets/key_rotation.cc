#include "services/orchestrator/secrets/key_rotation.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/crypto/sealing.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"
#include "services/orchestrator/secrets/secret_names.h"

namespace machine::orchestrator {
namespace {

std::string NextPath(absl::string_view key_path) { return absl::StrCat(key_path, ".next"); }

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

}  // namespace

absl::StatusOr<std::string> FinishKeyRotation(absl::string_view key_path,
                                              absl::string_view wanted_id) {
  const std::string path(key_path);
  const std::string next_path = NextPath(key_path);
  const absl::StatusOr<common::SealingKey> current = common::SealingKey::FromFile(path);
  if (current.ok() && current->id() == wanted_id) return "";
  const absl::StatusOr<common::SealingKey> next = common::SealingKey::FromFile(next_path);
  if (!next.ok() || next->id() != wanted_id) return "";
  std::string old_path;
  if (current.ok()) {
    old_path = absl::StrCat(path, ".", current->id());
    // It may be there from the attempt that was killed.
    if (link(path.c_str(), old_path.c_str()) != 0 && errno != EEXIST) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", old_path));
    }
  }
  if (rename(next_path.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  }
  DM_RETURN_IF_ERROR(SyncFolder(path));
  return old_path;
}

absl::StatusOr<KeyRotation> RotateSealingKey(
    absl::string_view key_path,
    absl::FunctionRef<absl::StatusOr<int64_t>(Reseal reseal)> reseal_store,
    const common::Failpoints& failpoints) {
  KeyRotation rotation;
  const std::string path(key_path);
  std::optional<common::SealingKey> from;
  std::optional<common::SealingKey> to;
  // Once the store is ours, so that two rotations do not meet.
  const auto prepare = [&](absl::string_view wanted_id) -> absl::Status {
    DM_RETURN_IF_ERROR(FinishKeyRotation(path, wanted_id).status());
    DM_ASSIGN_OR_RETURN(from, common::SealingKey::FromFile(path));
    if (from->id() != wanted_id) {
      return absl::FailedPreconditionError(
          absl::StrCat("the key file ", path,
                       " is not that of the store, whose secrets are sealed "
                       "with key ",
                       wanted_id));
    }
    DM_ASSIGN_OR_RETURN(to, common::SealingKey::FromNewFile(NextPath(path)));
    rotation.old_id = from->id();
    rotation.new_id = to->id();
    failpoints.Pass("store", "rotate_key", "before_effect");
    return absl::OkStatus();
  };
  const auto reseal = [&](absl::string_view owner, absl::string_view name,
                          absl::string_view sealed) -> absl::StatusOr<std::string> {
    const bool is_id = owner == kVaultOwner && name == kKeyIdName;
    if (!from.has_value()) {
      // Any sealed value tells which key is wanted.
      absl::StatusOr<std::string> wanted_id =
          is_id ? std::string(sealed) : common::SealedKeyId(sealed);
      DM_RETURN_IF_ERROR(wanted_id.status());
      DM_RETURN_IF_ERROR(prepare(*wanted_id));
    }
    if (is_id) return to->id();
    return common::Annotate(
        common::Rewrap(sealed, *from, *to),
        owner.empty() ? "a sealed value" : absl::StrCat("secret ", name, " of ", owner));
  };
  DM_ASSIGN_OR_RETURN(
      rotation.values,
      reseal_store([&](absl::string_view owner, absl::string_view name, absl::string_view sealed) {
        absl::StatusOr<std::string> resealed = reseal(owner, name, sealed);
        failpoints.Pass("store", "rotate_key", "after_effect");
        return resealed;
      }));
  if (!to.has_value()) {
    return absl::FailedPreconditionError("nothing is sealed in this store yet");
  }
  failpoints.Pass("store", "rotate_key", "after_commit");
  --rotation.values;  // The key's id is none.
  DM_ASSIGN_OR_RETURN(rotation.old_path, FinishKeyRotation(path, rotation.new_id));
  return rotation;
}

}  // namespace machine::orchestrator
