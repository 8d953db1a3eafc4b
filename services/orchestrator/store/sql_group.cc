#include "services/orchestrator/store/sql_group.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

absl::Status RunInGroup(SqlConnection& db, const common::Clock& clock, SqlLease lease,
                        SqlWrite& write) {
  DM_RETURN_IF_ERROR(db.Change("SAVEPOINT one"));
  SqlTransaction transaction(db, clock, lease);
  write.status = write.work(transaction);
  if (!db.in_transaction()) {
    return write.status.ok() ? absl::InternalError("the store lost a transaction") : write.status;
  }
  if (!write.status.ok()) DM_RETURN_IF_ERROR(db.Change("ROLLBACK TO one"));
  DM_RETURN_IF_ERROR(db.Change("RELEASE one"));
  write.changes = std::move(transaction.changes());
  return absl::OkStatus();
}

void EndGroup(std::vector<SqlWrite>& group, const absl::Status& committed,
              Store::Listener& listener) {
  for (SqlWrite& write : group) {
    // Also of one that failed by itself: it may have seen what another wrote and lost.
    if (!committed.ok()) write.status = committed;
    if (write.status.ok() && !write.changes.empty() && listener != nullptr) listener(write.changes);
  }
  for (SqlWrite& write : group) {
    // What they hold goes here, on this thread, and not after the caller may have gone.
    write.work = nullptr;
    if (write.done != nullptr) write.done(std::move(write.status));
  }
}

absl::StatusOr<std::vector<OperationRecord>> ClaimIn(Store& store, absl::string_view owner,
                                                     int limit) {
  std::vector<OperationRecord> claimed;
  DM_RETURN_IF_ERROR(store.WriteAndWait([&](StoreTransaction& transaction) {
    DM_ASSIGN_OR_RETURN(claimed, static_cast<SqlTransaction&>(transaction).Claim(owner, limit));
    return absl::OkStatus();
  }));
  return claimed;
}

absl::Status RenewIn(Store& store, absl::string_view owner) {
  std::vector<std::string> lost;
  DM_RETURN_IF_ERROR(store.WriteAndWait([&](StoreTransaction& transaction) {
    return static_cast<SqlTransaction&>(transaction).Renew(owner, lost);
  }));
  if (lost.empty()) return absl::OkStatus();
  return common::Error(absl::StatusCode::kAborted, machine::v1::ERROR_REASON_LEASE_LOST,
                       absl::StrCat("another worker took over ", absl::StrJoin(lost, ", ")),
                       {{"operation", lost.front()}});
}

absl::Status ReleaseIn(Store& store, absl::string_view owner) {
  return store.WriteAndWait([&](StoreTransaction& transaction) {
    return static_cast<SqlTransaction&>(transaction).Release(owner);
  });
}

}  // namespace machine::orchestrator
