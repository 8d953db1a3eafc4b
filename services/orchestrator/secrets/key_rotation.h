// Another sealing key for a store, which nobody uses meanwhile.
#ifndef SERVICES_ORCHESTRATOR_SECRETS_KEY_ROTATION_H_
#define SERVICES_ORCHESTRATOR_SECRETS_KEY_ROTATION_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "services/common/failpoint/failpoints.h"
#include "services/orchestrator/secrets/store_key.h"
#include "services/orchestrator/store/store_reseal.h"

namespace machine::orchestrator {

/// What a rotation did.
struct KeyRotation {
  std::string new_id;
  /// Where the key file before is now, which backups made until now need; empty when it was a
  /// passphrase.
  std::string old_path;
  /// How many values are sealed with the new key.
  int64_t values = 0;
};

/// Wraps every sealed value of a store, whose key is in `from`, with a new key: a random one in a
/// new key file, or one from the passphrase of `to`. `reseal_store` is ResealFile() or
/// ResealDatabase() of the store, with the secrets of kVaultOwner first.
///
/// It may be killed at any point: until the commit the store opens with `from`, and a new key file
/// waits beside the old one (".next"); after it, with `to`, and the next start of an orchestrator,
/// or of this, puts the files in place. Errors: as OpenStoreKey(), as `reseal_store` and the files.
absl::StatusOr<KeyRotation> RotateSealingKey(
    const KeySource& from, const KeySource& to,
    absl::FunctionRef<absl::StatusOr<int64_t>(Reseal reseal)> reseal_store,
    const common::Failpoints& failpoints);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_SECRETS_KEY_ROTATION_H_
