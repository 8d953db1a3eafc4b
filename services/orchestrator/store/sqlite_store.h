// The embedded store: one SQLite file, one process.
#ifndef SERVICES_ORCHESTRATOR_STORE_SQLITE_STORE_H_
#define SERVICES_ORCHESTRATOR_STORE_SQLITE_STORE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "services/common/clock/clock.h"
#include "services/common/process/unique_fd.h"
#include "services/orchestrator/store/sql_group.h"
#include "services/orchestrator/store/sqlite_connection.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Keeps every other process from the store at `path` as long as it lives; FAILED_PRECONDITION when
/// another has it.
absl::StatusOr<common::UniqueFd> LockSqliteStore(absl::string_view path);

/// The id of the process that has the store, "0" where it is not known, from that
/// FAILED_PRECONDITION; none for any other error.
std::optional<std::string> HolderOfSqliteStore(const absl::Status& error);

/// A Store in a file, which no other process may have open (it is locked by PATH.lock).
///
/// One thread writes: it takes all transactions that wait, each in a savepoint, and commits them
/// with one sync. Reads run beside it, each on its caller's thread and on the last commit. A write
/// that fails for the disk's sake (full, broken) fails its whole group; the store stays usable.
class SqliteStore final : public Store {
 public:
  /// Opens the store at `path`; makes it, with missing folders (0700), when there is none.
  /// Errors: FAILED_PRECONDITION when another process has it open, or STATE_TOO_NEW; DATA_LOSS
  /// STORE_CORRUPT; PERMISSION_DENIED; RESOURCE_EXHAUSTED for a full disk. Each names the file, and
  /// nothing in it is then changed.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(
      absl::string_view path, const common::Clock& clock = common::Clock::Real());

  /// Waits for all transactions that were handed over.
  ~SqliteStore() override;

  void Write(Work work, Done done) override;
  absl::Status Read(absl::FunctionRef<absl::Status(StoreReader&)> read) override;
  void SetListener(Listener listener) override;
  absl::StatusOr<std::vector<OperationRecord>> ClaimOperations(absl::string_view owner,
                                                               int limit) override;
  absl::Status RenewLeases(absl::string_view owner) override;
  absl::Status ReleaseLeases(absl::string_view owner) override;
  LeaseTimes lease_times() const override { return {}; }
  absl::StatusOr<bool> TakeRole(absl::string_view) override { return true; }
  void TellObserved(int64_t) override {}
  const std::string& orchestrator_id() const override { return orchestrator_id_; }

 private:
  SqliteStore(absl::string_view path, const common::Clock& clock, common::UniqueFd lock)
      : path_(path), clock_(clock), lock_(std::move(lock)) {}

  absl::Status Prepare();
  absl::StatusOr<std::unique_ptr<SqliteConnection>> OpenReader();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void RunWriter();
  void CommitGroup(std::vector<SqlWrite>& group);
  absl::Status RunGroup(std::vector<SqlWrite>& group);
  void PruneIfDue();

  const std::string path_;
  const common::Clock& clock_;
  // Closed last, so that the next process finds a store that is closed.
  const common::UniqueFd lock_;
  std::string orchestrator_id_;
  // The writer thread's.
  std::unique_ptr<SqliteConnection> db_;
  Listener listener_;
  absl::Duration prune_due_ = absl::ZeroDuration();

  absl::Mutex mu_;
  std::deque<SqlWrite> queue_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;

  absl::Mutex readers_mu_;
  std::vector<std::unique_ptr<SqliteConnection>> idle_readers_ ABSL_GUARDED_BY(readers_mu_);

  std::thread writer_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQLITE_STORE_H_
