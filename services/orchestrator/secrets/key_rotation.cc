#include "services/orchestrator/secrets/key_rotation.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/crypto/sealing.h"
#include "services/common/status/status.h"
#include "services/orchestrator/secrets/secret_names.h"

namespace machine::orchestrator {

absl::StatusOr<KeyRotation> RotateSealingKey(
    const KeySource& from, const KeySource& to,
    absl::FunctionRef<absl::StatusOr<int64_t>(Reseal reseal)> reseal_store,
    const common::Failpoints& failpoints) {
  std::optional<common::SealingKey> old_key;
  std::optional<StoreKey> fresh;
  // Once the store is ours, so that two rotations do not meet.
  const auto prepare = [&](const KeyRecord& record) -> absl::Status {
    absl::StatusOr<common::SealingKey> opened = OpenStoreKey(from, record);
    if (!opened.ok()) {
      // The same rotation may have been killed when it was done.
      absl::StatusOr<common::SealingKey> done = OpenStoreKey(to, record);
      if (!done.ok()) return opened.status();
      opened = std::move(done);
    }
    old_key = *std::move(opened);
    DM_ASSIGN_OR_RETURN(fresh, NewStoreKey({.key_path = NextKeyPath(from.key_path),
                                            .passphrase_path = to.passphrase_path}));
    failpoints.Pass("store", "rotate_key", "before_effect");
    return absl::OkStatus();
  };
  const auto reseal = [&](absl::string_view owner, absl::string_view name,
                          absl::string_view sealed) -> absl::StatusOr<std::string> {
    if (owner == kVaultOwner && name == kKeyIdName) {
      DM_ASSIGN_OR_RETURN(const KeyRecord record, KeyRecord::Parse(sealed));
      DM_RETURN_IF_ERROR(prepare(record));
      return fresh->record.ToString();
    }
    if (!fresh.has_value()) {
      return common::Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
                           "the store does not say which key it is sealed with: restore it from a "
                           "backup");
    }
    return common::Annotate(
        common::Rewrap(sealed, *old_key, fresh->key),
        owner.empty() ? "a sealed value" : absl::StrCat("secret ", name, " of ", owner));
  };
  KeyRotation rotation;
  DM_ASSIGN_OR_RETURN(
      rotation.values,
      reseal_store([&](absl::string_view owner, absl::string_view name, absl::string_view sealed) {
        absl::StatusOr<std::string> resealed = reseal(owner, name, sealed);
        failpoints.Pass("store", "rotate_key", "after_effect");
        return resealed;
      }));
  if (!fresh.has_value()) {
    return absl::FailedPreconditionError("nothing is sealed in this store yet");
  }
  failpoints.Pass("store", "rotate_key", "after_commit");
  --rotation.values;  // What the store says of its key is none.
  rotation.new_id = fresh->record.id;
  DM_ASSIGN_OR_RETURN(rotation.old_path, FinishKeyRotation(from.key_path, fresh->record));
  return rotation;
}

}  // namespace machine::orchestrator
