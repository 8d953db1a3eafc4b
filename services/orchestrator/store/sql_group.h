// Group commit: many transactions, each in a savepoint, that share one commit of the database.
#ifndef SERVICES_ORCHESTRATOR_STORE_SQL_GROUP_H_
#define SERVICES_ORCHESTRATOR_STORE_SQL_GROUP_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/clock/clock.h"
#include "services/orchestrator/store/sql_transaction.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// A transaction on its way.
struct SqlWrite {
  Store::Work work;
  Store::Done done;
  /// Its own result, of which the rest of the group does not depend.
  absl::Status status;
  StoreChanges changes;
};

/// How many transactions share one commit.
inline constexpr size_t kMaxGroup = 256;
/// How long finished operations are kept.
inline constexpr absl::Duration kOperationAge = absl::Hours(7 * 24);
/// How many of them, the newest; between two passes of pruning there may be more.
inline constexpr int64_t kMaxFinishedOperations = 100'000;
/// How often to look for what is too old or too much.
inline constexpr absl::Duration kPruneInterval = absl::Minutes(10);
/// What one pass of pruning may take of the writer's time, about 20 ms.
inline constexpr int kPruneLimit = 200;

/// Runs one transaction in a savepoint of the open transaction of `db`. The result is the group's
/// fate; the transaction's own goes to write.status.
absl::Status RunInGroup(SqlConnection& db, const common::Clock& clock, SqlLease lease,
                        SqlWrite& write);

/// Tells what became of a group: first the listener, then each `done`.
void EndGroup(std::vector<SqlWrite>& group, const absl::Status& committed,
              Store::Listener& listener);

// Parts of Store that are a transaction of SqlTransaction in every such store.
absl::StatusOr<std::vector<OperationRecord>> ClaimIn(Store& store, absl::string_view owner,
                                                     int limit);
absl::Status RenewIn(Store& store, absl::string_view owner);
absl::Status ReleaseIn(Store& store, absl::string_view owner);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQL_GROUP_H_
