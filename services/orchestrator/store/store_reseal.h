// Every sealed value of a store, replaced at once: what a change of the sealing key needs.
#ifndef SERVICES_ORCHESTRATOR_STORE_STORE_RESEAL_H_
#define SERVICES_ORCHESTRATOR_STORE_STORE_RESEAL_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/orchestrator/store/postgres_address.h"

namespace machine::orchestrator {

/// Gives what is to stand in place of a sealed value. `owner` and `name` are those of a secret;
/// both are empty for a value that is part of another record.
using Reseal = absl::FunctionRef<absl::StatusOr<std::string>(
    absl::string_view owner, absl::string_view name, absl::string_view sealed)>;

// Both block, need the store for themselves and change all of it in one transaction, or nothing;
// they return how many values there were. The secrets of the owner `first` come before all other
// values. What stood in the file before is overwritten.
// Errors: NOT_FOUND when there is no store; FAILED_PRECONDITION while an orchestrator uses it;
// those of `reseal`; as the databases say.

absl::StatusOr<int64_t> ResealFile(absl::string_view path, absl::string_view first, Reseal reseal);
absl::StatusOr<int64_t> ResealDatabase(const PostgresAddress& address, absl::string_view first,
                                       Reseal reseal);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_STORE_RESEAL_H_
