#include "services/orchestrator/store/postgres_store.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/change_record.h"
#include "services/orchestrator/store/postgres_schema.h"

namespace machine::orchestrator {
namespace {

constexpr absl::string_view kChannel = "machine_changes";
constexpr absl::string_view kObservedChannel = "machine_observed";
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);
// How long an orchestrator may be away from the database and go on with what it has in memory.
constexpr absl::Duration kChangeAge = absl::Hours(1);
constexpr int64_t kChangeBatch = 500;
// How long a transaction may stand still before the server ends it.
constexpr absl::Duration kMinIdleLimit = absl::Seconds(2);
constexpr absl::Duration kMaxIdleLimit = absl::Seconds(5);
// A role is asked for once a refresh interval, which may be as long as a lease.
constexpr int kRoleLeases = 2;

absl::Duration IdleLimit(const LeaseTimes& leases) {
  return std::clamp(leases.poll, kMinIdleLimit, kMaxIdleLimit);
}

}  // namespace

LeaseTimes SharedLeaseTimes(absl::Duration lease) {
  return {.lease = lease, .renew = lease / 3, .give_up = lease * 2 / 3, .poll = lease / 6};
}

PostgresStore::PostgresStore(PostgresAddress address, LeaseTimes leases, const common::Clock& clock)
    : address_(std::move(address)),
      leases_(leases),
      clock_(clock),
      instance_(common::NewUuid()),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      readers_(address_, IdleLimit(leases)),
      backoff_(kFirstBackoff) {}

absl::StatusOr<std::unique_ptr<PostgresStore>> PostgresStore::Open(PostgresAddress address,
                                                                   LeaseTimes leases,
                                                                   const common::Clock& clock) {
  std::unique_ptr<PostgresStore> store(new PostgresStore(std::move(address), leases, clock));
  DM_RETURN_IF_ERROR(store->Prepare());
  store->writer_ = std::thread([raw = store.get()] { raw->RunWriter(); });
  return store;
}

absl::Status PostgresStore::Prepare() {
  if (!wake_.valid()) return absl::ResourceExhaustedError("no file descriptor for the store");
  DM_RETURN_IF_ERROR(Connect());
  DM_RETURN_IF_ERROR(MigratePostgres(*db_, address_.printable()));
  DM_RETURN_IF_ERROR(ShareStore(*db_));
  DM_ASSIGN_OR_RETURN(SqlStatement row, db_->Query("SELECT id, revision FROM orchestrator"));
  DM_RETURN_IF_ERROR(row.Step().status());
  orchestrator_id_ = std::string(row.Bytes(0));
  seen_ = row.Int(1);
  return absl::OkStatus();
}

PostgresStore::~PostgresStore() {
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
  }
  Wake();
  if (writer_.joinable()) writer_.join();
}

void PostgresStore::SetListener(Listener listener) {
  {
    absl::MutexLock lock(&listener_mu_);
    listener_ = std::move(listener);
  }
  Wake();
}

void PostgresStore::Write(Work work, Done done) {
  {
    absl::MutexLock lock(&mu_);
    queue_.push_back({std::move(work), std::move(done), absl::OkStatus(), {}});
  }
  Wake();
}

// ---- The writer thread

void PostgresStore::Wake() const { eventfd_write(wake_.get(), 1); }

bool PostgresStore::closing() {
  absl::MutexLock lock(&mu_);
  return closing_ && queue_.empty();
}

std::vector<SqlWrite> PostgresStore::TakeGroup() {
  std::vector<SqlWrite> group;
  absl::MutexLock lock(&mu_);
  const auto end = queue_.begin() + static_cast<ptrdiff_t>(std::min(queue_.size(), kMaxGroup));
  group.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  return group;
}

void PostgresStore::RunWriter() {
  while (!closing()) {
    ConnectIfDue();
    if (unresolved_.has_value()) Resolve();
    PruneIfDue();
    FollowIfDue();
    std::vector<SqlWrite> group = TakeGroup();
    if (group.empty()) {
      Wait();
    } else {
      CommitGroup(std::move(group));
    }
  }
  if (unresolved_.has_value()) End(unresolved_->group, cause_, unresolved_->revision);
}

void PostgresStore::Wait() {
  absl::Time until = absl::InfiniteFuture();
  if (db_ == nullptr) {
    until = connect_due_;
  } else if (unresolved_.has_value()) {
    until = absl::Now() + kFirstBackoff;
  } else {
    until = poll_due_;
  }
  pollfd events[] = {
      {.fd = wake_.get(), .events = POLLIN, .revents = 0},
      {.fd = db_ == nullptr ? -1 : db_->socket(), .events = POLLIN, .revents = 0},
  };
  const int64_t left =
      absl::ToInt64Milliseconds(absl::Ceil(until - absl::Now(), absl::Milliseconds(1)));
  poll(events, std::size(events), static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
}

// ---- The connection

absl::Status PostgresStore::Connect() {
  DM_ASSIGN_OR_RETURN(db_, PostgresConnection::Connect(address_, IdleLimit(leases_)));
  const absl::Status listening =
      db_->Execute(absl::StrCat("LISTEN ", kChannel, "; LISTEN ", kObservedChannel));
  if (!listening.ok()) db_ = nullptr;
  // What was told meanwhile was not heard.
  follow_ = true;
  return listening;
}

void PostgresStore::ConnectIfDue() {
  if (db_ != nullptr && !db_->alive()) {
    Disconnected(common::Error(
        absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_STORE_UNAVAILABLE,
        absl::StrCat("the connection to the store ", address_.printable(), " was lost; try again"),
        {{"store", address_.printable()}}));
  }
  if (db_ != nullptr || absl::Now() < connect_due_) return;
  absl::Status status = Connect();
  if (status.ok()) status = ShareStore(*db_);
  if (!status.ok()) return Disconnected(status);
  backoff_ = kFirstBackoff;
  readers_.Open();
}

void PostgresStore::Disconnected(absl::Status cause) {
  const bool first = db_ != nullptr;
  db_ = nullptr;
  cause_ = std::move(cause);
  // At once after a loss: a connection that was idle may be all that went.
  connect_due_ = first ? absl::InfinitePast() : absl::Now() + backoff_;
  if (first) return;
  backoff_ = std::min(backoff_ * 2, kMaxBackoff);
  readers_.Close(cause_);
}

// The group's connection may still be at its commit: the lock waits for its end.
absl::StatusOr<bool> PostgresStore::LastGroupCommitted() {
  DM_RETURN_IF_ERROR(db_->Query("SELECT revision FROM orchestrator FOR UPDATE").status());
  DM_ASSIGN_OR_RETURN(SqlStatement row, db_->Query("SELECT last_group FROM writers "
                                                   "WHERE instance = ?1",
                                                   absl::string_view(instance_)));
  DM_ASSIGN_OR_RETURN(const bool found, row.Step());
  return found && row.Int(0) == group_;
}

void PostgresStore::Resolve() {
  if (db_ == nullptr || !db_->Execute("BEGIN").ok()) return;
  const absl::StatusOr<bool> committed = LastGroupCommitted();
  if (db_->in_transaction()) db_->Execute("ROLLBACK").IgnoreError();
  if (!committed.ok()) return;
  Unresolved resolved = *std::exchange(unresolved_, std::nullopt);
  End(resolved.group,
      *committed ? absl::OkStatus()
                 : common::Error(absl::StatusCode::kUnavailable,
                                 machine::v1::ERROR_REASON_STORE_UNAVAILABLE,
                                 absl::StrCat("the store ", address_.printable(),
                                              " was lost before the commit; try again")),
      resolved.revision);
}

// ---- Groups

void PostgresStore::CommitGroup(std::vector<SqlWrite> group) {
  Running running;
  absl::Status committed = BeginGroup(running);
  if (!committed.ok() && (db_ == nullptr || !db_->alive())) {
    // Nothing of the group has run: it can be begun again on a new connection.
    ConnectIfDue();
    running = Running();
    committed = BeginGroup(running);
  }
  if (committed.ok()) committed = RunGroup(group, running);
  if (!committed.ok() && running.commit_sent && !db_->alive()) {
    unresolved_ = Unresolved{std::move(group), running.revision};
    return;
  }
  if (!committed.ok() && db_ != nullptr && db_->in_transaction()) {
    db_->Execute("ROLLBACK").IgnoreError();
  }
  End(group, committed, running.revision);
}

void PostgresStore::End(std::vector<SqlWrite>& group, const absl::Status& committed,
                        int64_t revision) {
  absl::MutexLock lock(&listener_mu_);
  if (committed.ok() && listener_ != nullptr) seen_ = revision;
  EndGroup(group, committed, listener_);
}

absl::Status PostgresStore::BeginGroup(Running& running) {
  // The changes of a group whose fate is unknown come before those of this one.
  if (db_ == nullptr || unresolved_.has_value()) return cause_;
  DM_RETURN_IF_ERROR(db_->Change("BEGIN"));
  DM_ASSIGN_OR_RETURN(SqlStatement locked,
                      db_->Query("SELECT revision FROM orchestrator FOR UPDATE"));
  DM_RETURN_IF_ERROR(locked.Step().status());
  running.revision = locked.Int(0);
  // After the lock was had: a lease must not begin in the past.
  DM_ASSIGN_OR_RETURN(
      SqlStatement now,
      db_->Query("INSERT INTO writers (instance, last_group, time) "
                 "VALUES (?1, ?2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) "
                 "ON CONFLICT (instance) DO UPDATE SET last_group = excluded.last_group, "
                 "time = excluded.time RETURNING time",
                 absl::string_view(instance_), ++group_));
  DM_RETURN_IF_ERROR(now.Step().status());
  lease_ = {.now = now.Int(0), .time = leases_.lease};
  return seen_ < running.revision ? FollowWithinTransaction() : absl::OkStatus();
}

absl::Status PostgresStore::RunGroup(std::vector<SqlWrite>& group, Running& running) {
  const int64_t before = running.revision;
  for (SqlWrite& write : group) {
    DM_RETURN_IF_ERROR(RunInGroup(*db_, clock_, lease_, write));
    if (!write.status.ok() || write.changes.empty()) continue;
    DM_RETURN_IF_ERROR(PutChanges(write.changes, ++running.revision));
  }
  if (running.revision != before) {
    DM_RETURN_IF_ERROR(db_->Change("UPDATE orchestrator SET revision = ?1", running.revision));
    DM_RETURN_IF_ERROR(db_->Query("SELECT pg_notify(?1, ?2)", kChannel,
                                  absl::string_view(absl::StrCat(running.revision)))
                           .status());
  }
  running.commit_sent = true;
  return db_->Commit();
}

absl::Status PostgresStore::PutChanges(const StoreChanges& changes, int64_t revision) {
  return db_->Change("INSERT INTO changes (revision, time, change) VALUES (?1, ?2, ?3)", revision,
                     lease_.now, Blob{ToChangeRecord(changes).SerializeAsString()});
}

void PostgresStore::PruneIfDue() {
  if (db_ == nullptr || unresolved_.has_value() || clock_.Steady() < prune_due_) return;
  std::vector<SqlWrite> group(1);
  int64_t removed = 0;
  group[0].work = [&](StoreTransaction& transaction) -> absl::Status {
    DM_ASSIGN_OR_RETURN(removed, static_cast<SqlTransaction&>(transaction)
                                     .Prune(kOperationAge, kMaxFinishedOperations, kPruneLimit));
    DM_RETURN_IF_ERROR(db_->Change(
        "DELETE FROM changes WHERE revision IN (SELECT revision FROM changes WHERE time < ?1 "
        "ORDER BY time LIMIT ?2)",
        lease_.now - absl::ToInt64Microseconds(kChangeAge), int64_t{kPruneLimit}));
    removed = std::max(removed, db_->changed_rows());
    return db_->Change("DELETE FROM writers WHERE time < ?1",
                       lease_.now - absl::ToInt64Microseconds(kOperationAge));
  };
  CommitGroup(std::move(group));
  // A failure shows at the next write. A full pass is gone on with after the next group.
  if (removed < kPruneLimit) prune_due_ = clock_.Steady() + kPruneInterval;
}

// ---- Changes of others

void PostgresStore::FollowIfDue() {
  if (db_ == nullptr || unresolved_.has_value()) return;
  TakeNotifications();
  if (!follow_ && absl::Now() < poll_due_) return;
  poll_due_ = absl::Now() + std::min(leases_.poll, absl::Seconds(5));
  // A failure is that of the connection, and is gone on with on the next one.
  if (FollowChanges().ok()) follow_ = false;
}

void PostgresStore::TakeNotifications() {
  for (const auto& [channel, payload] : db_->TakeNotifications()) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(payload, &number)) continue;  // Not of this program.
    if (channel == kChannel) {
      follow_ = follow_ || number > seen_;
      continue;
    }
    StoreChanges changes;
    changes.observed_us = number;
    absl::MutexLock lock(&listener_mu_);
    if (listener_ != nullptr && number > 0) listener_(changes);
  }
}

// One view of counter and rows.
absl::Status PostgresStore::FollowChanges() {
  DM_RETURN_IF_ERROR(db_->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  const absl::Status status = FollowWithinTransaction();
  if (db_->in_transaction()) DM_RETURN_IF_ERROR(db_->Execute("ROLLBACK"));
  return status;
}

absl::Status PostgresStore::FollowWithinTransaction() {
  absl::MutexLock lock(&listener_mu_);
  if (listener_ == nullptr) return absl::OkStatus();
  for (;;) {
    DM_ASSIGN_OR_RETURN(SqlStatement row,
                        db_->Query("SELECT revision, change FROM changes WHERE revision > ?1 "
                                   "ORDER BY revision LIMIT ?2",
                                   seen_, kChangeBatch));
    int64_t rows = 0;
    for (;; ++rows) {
      DM_ASSIGN_OR_RETURN(const bool found, row.Step());
      if (!found) break;
      ::orchestrator::store::ChangeRecord record;
      const absl::string_view bytes = row.Bytes(1);
      StoreChanges changes;
      if (row.Int(0) == seen_ + 1 &&
          record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        changes = FromChangeRecord(std::move(record));
      } else {
        changes.missed = true;
      }
      seen_ = row.Int(0);
      listener_(changes);
    }
    if (rows < kChangeBatch) break;
  }
  DM_ASSIGN_OR_RETURN(SqlStatement last, db_->Query("SELECT revision FROM orchestrator"));
  DM_RETURN_IF_ERROR(last.Step().status());
  if (last.Int(0) == seen_) return absl::OkStatus();
  // All of it was pruned.
  seen_ = last.Int(0);
  StoreChanges changes;
  changes.missed = true;
  listener_(changes);
  return absl::OkStatus();
}

// ---- The rest

absl::Status PostgresStore::Read(absl::FunctionRef<absl::Status(StoreReader&)> read) {
  DM_ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> db, readers_.Begin());
  absl::Status status;
  {
    SqlView view(*db, clock_);
    status = read(view);
  }
  readers_.End(std::move(db));
  return status;
}

absl::StatusOr<std::vector<OperationRecord>> PostgresStore::ClaimOperations(absl::string_view owner,
                                                                            int limit) {
  return ClaimIn(*this, owner, limit);
}

absl::Status PostgresStore::RenewLeases(absl::string_view owner) { return RenewIn(*this, owner); }

absl::Status PostgresStore::ReleaseLeases(absl::string_view owner) {
  return ReleaseIn(*this, owner);
}

absl::StatusOr<bool> PostgresStore::TakeRole(absl::string_view role) {
  bool taken = false;
  // The closure runs on the writer's thread, which `db_` and `lease_` belong to.
  DM_RETURN_IF_ERROR(WriteAndWait([&](StoreTransaction&) -> absl::Status {
    DM_RETURN_IF_ERROR(db_->Change(
        "INSERT INTO roles (name, owner, lease_until) VALUES (?1, ?2, ?4) "
        "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, "
        "lease_until = excluded.lease_until WHERE roles.owner = ?2 OR roles.lease_until < ?3",
        role, absl::string_view(instance_), lease_.now,
        lease_.now + kRoleLeases * absl::ToInt64Microseconds(leases_.lease)));
    taken = db_->changed_rows() > 0;
    return absl::OkStatus();
  }));
  return taken;
}

void PostgresStore::TellObserved(int64_t observed_us) {
  Write(
      [this, observed_us](StoreTransaction&) {
        return db_
            ->Query("SELECT pg_notify(?1, ?2)", kObservedChannel,
                    absl::string_view(absl::StrCat(observed_us)))
            .status();
      },
      nullptr);
}

}  // namespace machine::orchestrator
