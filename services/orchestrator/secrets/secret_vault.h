// Sealing of what the store must not show: secret options, private keys, driver states.
#ifndef SERVICES_ORCHESTRATOR_SECRETS_SECRET_VAULT_H_
#define SERVICES_ORCHESTRATOR_SECRETS_SECRET_VAULT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "machine/v1/machine.pb.h"
#include "services/common/crypto/sealing.h"
#include "services/common/crypto/secret_string.h"
#include "services/orchestrator/secrets/store_key.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Seals values under one key and binds each to its owner and name, so that a sealed value that was
/// copied to another row cannot be opened there. Immutable and thread-safe.
class SecretVault {
 public:
  explicit SecretVault(common::SealingKey key) : key_(std::move(key)) {}

  /// The vault of `store` with the key of `source`; a new store gets that key, which is made where
  /// there is none. FAILED_PRECONDITION when the store was sealed with another key, maybe at this
  /// moment by another orchestrator on it, or the key file is gone: then the store is not changed.
  /// Else as OpenStoreKey(). Waits for the disk.
  static absl::StatusOr<SecretVault> LoadOrCreate(const KeySource& source, Store& store);

  /// `owner` is a machine's uid, or what else the value belongs to.
  absl::StatusOr<std::string> Seal(absl::string_view owner, absl::string_view name,
                                   absl::string_view plaintext) const;

  /// DATA_LOSS STORE_CORRUPT, naming owner and name, when it was not sealed for them with this key.
  absl::StatusOr<common::SecretString> Open(absl::string_view owner, absl::string_view name,
                                            absl::string_view sealed) const;

 private:
  common::SealingKey key_;
};

/// Takes the values of secret options out of `machine`, whose uid is set, and leaves a secret_ref
/// in their places. What it returns, name and value each, is to be sealed and kept.
std::vector<std::pair<std::string, std::string>> SplitSecrets(machine::v1::Machine& machine);

/// Options for a driver's call that a credential gives to a machine of `driver` beside `given`:
/// those that are not among them already. `credential` is "credentials/{id}", or empty for none.
/// Errors: NOT_FOUND CREDENTIAL_NOT_FOUND; INVALID_ARGUMENT for one of another driver; DATA_LOSS
/// STORE_CORRUPT when a value is not in the store.
absl::StatusOr<std::vector<machine::v1::OptionValue>> CredentialOptions(
    StoreReader& reader, const SecretVault& vault, absl::string_view credential,
    absl::string_view driver, absl::Span<const machine::v1::OptionValue> given);

/// "Credential … does not exist": NOT_FOUND CREDENTIAL_NOT_FOUND.
absl::Status CredentialNotFound(absl::string_view name);

/// The machine's options with the secret values back in and those of its credential, for a driver's
/// call. DATA_LOSS STORE_CORRUPT when one is not in the store; else as CredentialOptions().
absl::StatusOr<std::vector<machine::v1::OptionValue>> JoinSecrets(
    StoreReader& reader, const SecretVault& vault, const machine::v1::Machine& machine);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_SECRETS_SECRET_VAULT_H_
