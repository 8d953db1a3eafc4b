// Another sealing key for a store, which nobody uses meanwhile.
#ifndef SERVICES_ORCHESTRATOR_SECRETS_KEY_ROTATION_H_
#define SERVICES_ORCHESTRATOR_SECRETS_KEY_ROTATION_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/failpoint/failpoints.h"
#include "services/orchestrator/store/store_reseal.h"

namespace machine::orchestrator {

/// What a rotation did.
struct KeyRotation {
  std::string old_id;
  std::string new_id;
  /// Where the key before is now: backups made until now need it.
  std::string old_path;
  /// How many values are sealed with the new key.
  int64_t values = 0;
};

/// Wraps every sealed value with a new key and puts that at `key_path`. `reseal_store` is
/// ResealFile() or ResealDatabase() of the store.
///
/// It may be killed at any point: until the commit the old key is the one at `key_path`, and the
/// new one waits beside it (".next"); after it, the next start of an orchestrator, or of this, puts
/// it in place. Errors: FAILED_PRECONDITION when the key at `key_path` is not that of the store; as
/// `reseal_store` and the files.
absl::StatusOr<KeyRotation> RotateSealingKey(
    absl::string_view key_path,
    absl::FunctionRef<absl::StatusOr<int64_t>(Reseal reseal)> reseal_store,
    const common::Failpoints& failpoints);

/// Puts the key that a killed rotation left beside `key_path` in its place, when it is the one that
/// the store is sealed with (`wanted_id`). The old key's new path; empty when there was nothing to
/// do.
absl::StatusOr<std::string> FinishKeyRotation(absl::string_view key_path,
                                              absl::string_view wanted_id);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_SECRETS_KEY_ROTATION_H_
