// Which key a store is sealed with, and how an orchestrator comes by it.
#ifndef SERVICES_ORCHESTRATOR_SECRETS_STORE_KEY_H_
#define SERVICES_ORCHESTRATOR_SECRETS_STORE_KEY_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/crypto/sealing.h"

namespace machine::orchestrator {

/// Where a sealing key is.
struct KeySource {
  /// The key file.
  std::string key_path;
  /// A file with a passphrase, which takes the place of the key file; empty for none.
  std::string passphrase_path;
};

/// What a store says of its key, in the secret kKeyIdName of kVaultOwner. It is not sealed, and
/// says nothing of the key.
struct KeyRecord {
  std::string id;
  /// How a passphrase becomes the key; none for a key in a file.
  std::optional<common::ScryptParameters> derivation;

  /// "ID", or "ID scrypt:N:R:P:SALT", and back. DATA_LOSS STORE_CORRUPT when it is malformed.
  std::string ToString() const;
  static absl::StatusOr<KeyRecord> Parse(absl::string_view text);
};

/// A key and what a store that is sealed with it says.
struct StoreKey {
  common::SealingKey key;
  KeyRecord record;
};

/// A key for a store that has none: from the passphrase, with parameters of its own, else the one
/// in the key file, which is made where there is none. Errors: as common::SealingKey.
absl::StatusOr<StoreKey> NewStoreKey(const KeySource& source);

/// The key that `record` wants; ends a rotation that was killed, see FinishKeyRotation().
/// FAILED_PRECONDITION, saying what to do, when `source` has another key, a passphrase where the
/// store has a key file, or the other way round; else as common::SealingKey.
absl::StatusOr<common::SealingKey> OpenStoreKey(const KeySource& source, const KeyRecord& record);

/// Where a new key waits for the end of a rotation.
std::string NextKeyPath(absl::string_view key_path);

/// Brings the key files into the state that a store with `record` wants, after a rotation: the new
/// key at NextKeyPath() gets its place, and the one before gets its id as
/// an ending. Where it is now; empty when there was nothing to do.
absl::StatusOr<std::string> FinishKeyRotation(absl::string_view key_path, const KeyRecord& record);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_SECRETS_STORE_KEY_H_
