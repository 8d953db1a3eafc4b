// The shared store: a PostgreSQL database, any number of orchestrators.
#ifndef SERVICES_ORCHESTRATOR_STORE_POSTGRES_STORE_H_
#define SERVICES_ORCHESTRATOR_STORE_POSTGRES_STORE_H_

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
#include "services/orchestrator/store/postgres_address.h"
#include "services/orchestrator/store/postgres_connection.h"
#include "services/orchestrator/store/postgres_pool.h"
#include "services/orchestrator/store/sql_group.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// The lease times of a shared store: renewed at a third of `lease`, given up at two thirds, lost
/// ones looked for at a sixth.
LeaseTimes SharedLeaseTimes(absl::Duration lease);

/// A Store in a PostgreSQL database (12 or later).
///
/// One thread writes, in groups that share a commit, as in SqliteStore. Each group first locks the
/// one row of table orchestrator, so the groups of all processes follow one another: transactions
/// see the world as if they were alone, and each that changes something gets the next revision, in
/// the order of commits. What it changed is kept for a while in table changes under its revision.
/// The same thread reads there what others have committed, before its own group and when it is
/// told by NOTIFY or at the latest each poll interval, so that the listener hears of every revision
/// once and in order.
///
/// While the database is away, Write and Read fail with UNAVAILABLE STORE_UNAVAILABLE, and the
/// thread connects again by itself. A commit that was under way when the connection was lost is
/// answered when its fate is known: each group leaves its number in table writers.
class PostgresStore final : public Store {
 public:
  /// Connects, and makes or updates the tables.
  /// Errors: UNAVAILABLE STORE_UNAVAILABLE; FAILED_PRECONDITION STATE_TOO_NEW; as
  /// PostgresConnection.
  static absl::StatusOr<std::unique_ptr<PostgresStore>> Open(
      PostgresAddress address, LeaseTimes leases,
      const common::Clock& clock = common::Clock::Real());

  /// Waits for all transactions that were handed over.
  ~PostgresStore() override;

  void Write(Work work, Done done) override;
  absl::Status Read(absl::FunctionRef<absl::Status(StoreReader&)> read) override;
  void SetListener(Listener listener) override;
  absl::StatusOr<std::vector<OperationRecord>> ClaimOperations(absl::string_view owner,
                                                               int limit) override;
  absl::Status RenewLeases(absl::string_view owner) override;
  absl::Status ReleaseLeases(absl::string_view owner) override;
  LeaseTimes lease_times() const override { return leases_; }
  absl::StatusOr<bool> TakeRole(absl::string_view role) override;
  void TellObserved(int64_t observed_us) override;
  const std::string& orchestrator_id() const override { return orchestrator_id_; }

 private:
  // A group whose COMMIT was sent and not answered.
  struct Unresolved {
    std::vector<SqlWrite> group;
    int64_t revision = 0;
  };
  // A group that is being run.
  struct Running {
    int64_t revision = 0;
    bool commit_sent = false;
  };

  PostgresStore(PostgresAddress address, LeaseTimes leases, const common::Clock& clock);

  absl::Status Prepare();
  void RunWriter();
  bool closing();
  std::vector<SqlWrite> TakeGroup();
  void Wake() const;
  void Wait();

  absl::Status Connect();
  void ConnectIfDue();
  void Disconnected(absl::Status cause);
  void Resolve();
  absl::StatusOr<bool> LastGroupCommitted();
  void End(std::vector<SqlWrite>& group, const absl::Status& committed, int64_t revision);

  void CommitGroup(std::vector<SqlWrite> group);
  absl::Status BeginGroup(Running& running);
  absl::Status RunGroup(std::vector<SqlWrite>& group, Running& running);
  absl::Status PutChanges(const StoreChanges& changes, int64_t revision);
  absl::Status FollowChanges();
  absl::Status FollowWithinTransaction();
  void FollowIfDue();
  void TakeNotifications();
  void PruneIfDue();

  const PostgresAddress address_;
  const LeaseTimes leases_;
  const common::Clock& clock_;
  // Of this process, in tables writers and roles.
  const std::string instance_;
  const common::UniqueFd wake_;
  std::string orchestrator_id_;
  PostgresPool readers_;

  // The writer thread's.
  std::unique_ptr<PostgresConnection> db_;
  std::optional<Unresolved> unresolved_;
  absl::Status cause_;
  SqlLease lease_;
  // Number of the last group that was begun.
  int64_t group_ = 0;
  // The last revision that the listener has heard of.
  int64_t seen_ = 0;
  bool follow_ = true;
  absl::Time poll_due_ = absl::InfinitePast();
  absl::Time connect_due_ = absl::InfinitePast();
  absl::Duration backoff_;
  absl::Duration prune_due_ = absl::ZeroDuration();

  absl::Mutex mu_;
  std::deque<SqlWrite> queue_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;

  // Set once by another thread, then used by the writer's.
  absl::Mutex listener_mu_;
  Listener listener_ ABSL_GUARDED_BY(listener_mu_);

  std::thread writer_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_POSTGRES_STORE_H_
