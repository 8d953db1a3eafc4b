// What admins ask of the audit log.
#ifndef SERVICES_ORCHESTRATOR_ACCESS_AUDIT_LOG_H_
#define SERVICES_ORCHESTRATOR_ACCESS_AUDIT_LOG_H_

#include "absl/status/statusor.h"
#include "machine/v1/access.pb.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// One page. INVALID_ARGUMENT for a filter or token that is none. Blocks.
absl::StatusOr<machine::v1::ListAuditEntriesResponse> ListAuditEntries(
    Store& store, const machine::v1::ListAuditEntriesRequest& request);

/// Recomputes the whole chain. DATA_LOSS STORE_CORRUPT naming the first entry, from the beginning,
/// that does not fit. Blocks.
absl::StatusOr<machine::v1::VerifyAuditResponse> VerifyAudit(Store& store);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ACCESS_AUDIT_LOG_H_
