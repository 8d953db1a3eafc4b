#include "services/orchestrator/store/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sql_transaction.h"
#include "services/orchestrator/store/sqlite_schema.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kMaxIdleReaders = 4;
constexpr char kHolderPayload[] = "store-holder";
constexpr absl::Duration kCheckBudget = absl::Milliseconds(100);

absl::Status OpenFailure(absl::string_view path) {
  const int error = errno;
  return absl::ErrnoToStatus(error, absl::StrCat("cannot open the store ", path));
}

absl::StatusOr<common::UniqueFd> OpenFile(const std::string& path) {
  common::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return OpenFailure(path);
  // Also a file that was made by hand; SQLite gives its other files the same mode.
  if (fchmod(fd.get(), 0600) != 0) return OpenFailure(path);
  return fd;
}

bool Sync(const std::string& path, int flags) {
  const common::UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
  return fd.valid() && fsync(fd.get()) == 0;
}

// Makes an empty store at `path` in one step. Beside it first, without syncs, because they would
// make most of a new user's first command: SQLite by itself takes seven, this takes two.
absl::Status Create(const std::string& path, const std::string& folder) {
  const std::string draft = absl::StrCat(path, ".new");
  // Of a process that died here. The caller has the lock.
  for (const absl::string_view suffix : {"", "-wal", "-shm"}) {
    unlink(absl::StrCat(draft, suffix).c_str());
  }
  DM_RETURN_IF_ERROR(OpenFile(draft).status());
  {
    DM_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> db, SqliteConnection::Open(draft));
    DM_RETURN_IF_ERROR(db->Execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"));
    DM_RETURN_IF_ERROR(Migrate(*db));
    DM_RETURN_IF_ERROR(db->Execute("PRAGMA journal_mode = WAL"));
  }
  if (!Sync(draft, O_RDWR)) return OpenFailure(draft);
  if (rename(draft.c_str(), path.c_str()) != 0) return OpenFailure(path);
  // Some file systems cannot sync a folder; they need not either.
  Sync(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> HolderOfSqliteStore(const absl::Status& error) {
  const auto pid = error.GetPayload(kHolderPayload);
  if (!pid.has_value()) return std::nullopt;
  return std::string(*pid);
}

// The lock ends with the process, however that ends; the file only tells others whose it is.
absl::StatusOr<common::UniqueFd> LockSqliteStore(absl::string_view path) {
  const std::string lock_path = absl::StrCat(path, ".lock");
  DM_ASSIGN_OR_RETURN(common::UniqueFd fd, OpenFile(lock_path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return OpenFailure(lock_path);
    char pid[16] = {};
    const ssize_t size = pread(fd.get(), pid, sizeof(pid) - 1, 0);
    absl::Status in_use = absl::FailedPreconditionError(
        absl::StrCat("the store ", path, " is in use by ",
                     size > 0 ? absl::StrCat("process ", pid) : "another process"));
    in_use.SetPayload(kHolderPayload, absl::Cord(size > 0 ? pid : "0"));
    return in_use;
  }
  const std::string pid = absl::StrCat(getpid());
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return OpenFailure(lock_path);
  }
  return fd;
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(absl::string_view path,
                                                               const common::Clock& clock) {
  const std::string folder = std::filesystem::path(std::string(path)).parent_path().string();
  if (!folder.empty()) {
    DM_RETURN_IF_ERROR(common::Annotate(common::EnsureDir(folder, 0700),
                                        absl::StrCat("cannot open the store ", path)));
  }
  DM_ASSIGN_OR_RETURN(common::UniqueFd lock, LockSqliteStore(path));
  struct stat info = {};
  if (stat(std::string(path).c_str(), &info) != 0 ? errno == ENOENT : info.st_size == 0) {
    DM_RETURN_IF_ERROR(Create(std::string(path), folder));
  }
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, clock, std::move(lock)));
  DM_RETURN_IF_ERROR(store->Prepare());
  store->writer_ = std::thread([raw = store.get()] { raw->RunWriter(); });
  return store;
}

absl::Status SqliteStore::Prepare() {
  DM_RETURN_IF_ERROR(OpenFile(path_).status());
  DM_ASSIGN_OR_RETURN(db_, SqliteConnection::Open(path_));
  // Closing folds the log into the file, which is no good to a file that turns out to be damaged or
  // not ours.
  sqlite3_db_config(db_->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  DM_RETURN_IF_ERROR(CheckSchema(*db_, path_));
  DM_RETURN_IF_ERROR(
      db_->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA "
                   "journal_size_limit = 67108864"));
  DM_RETURN_IF_ERROR(CheckIntegrity(*db_, path_, kCheckBudget));
  DM_RETURN_IF_ERROR(Migrate(*db_));
  DM_ASSIGN_OR_RETURN(SqlStatement row, db_->Query("SELECT id FROM orchestrator"));
  DM_RETURN_IF_ERROR(row.Step().status());
  orchestrator_id_ = std::string(row.Bytes(0));
  sqlite3_db_config(db_->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return absl::OkStatus();
}

SqliteStore::~SqliteStore() {
  {
    absl::MutexLock lock(&mu_);
    closing_ = true;
  }
  if (writer_.joinable()) writer_.join();
}

void SqliteStore::SetListener(Listener listener) { listener_ = std::move(listener); }

void SqliteStore::Write(Work work, Done done) {
  absl::MutexLock lock(&mu_);
  queue_.push_back({std::move(work), std::move(done), absl::OkStatus(), {}});
}

bool SqliteStore::HasWork() const { return closing_ || !queue_.empty(); }

void SqliteStore::RunWriter() {
  for (;;) {
    PruneIfDue();
    std::vector<SqlWrite> group;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &SqliteStore::HasWork));
      if (queue_.empty()) return;
      const auto end = queue_.begin() + std::min(queue_.size(), kMaxGroup);
      group.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }
    CommitGroup(group);
  }
}

void SqliteStore::CommitGroup(std::vector<SqlWrite>& group) {
  const absl::Status committed = RunGroup(group);
  if (!committed.ok() && db_->in_transaction()) db_->Execute("ROLLBACK").IgnoreError();
  EndGroup(group, committed, listener_);
}

absl::Status SqliteStore::RunGroup(std::vector<SqlWrite>& group) {
  DM_RETURN_IF_ERROR(db_->Change("BEGIN IMMEDIATE"));
  const SqlLease lease{.now = ToMicros(clock_.Now()), .time = lease_times().lease};
  for (SqlWrite& write : group) DM_RETURN_IF_ERROR(RunInGroup(*db_, clock_, lease, write));
  return db_->Change("COMMIT");
}

void SqliteStore::PruneIfDue() {
  if (clock_.Steady() < prune_due_) return;
  std::vector<SqlWrite> group(1);
  int64_t removed = 0;
  group[0].work = [&](StoreTransaction& transaction) {
    DM_ASSIGN_OR_RETURN(removed, static_cast<SqlTransaction&>(transaction)
                                     .Prune(kOperationAge, kMaxFinishedOperations, kPruneLimit));
    return absl::OkStatus();
  };
  CommitGroup(group);
  // A failure is that of the disk and shows at the next write. A full pass is gone on with after
  // the next group.
  if (removed < kPruneLimit) prune_due_ = clock_.Steady() + kPruneInterval;
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteStore::OpenReader() {
  {
    absl::MutexLock lock(&readers_mu_);
    if (!idle_readers_.empty()) {
      std::unique_ptr<SqliteConnection> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  DM_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> reader, SqliteConnection::Open(path_));
  DM_RETURN_IF_ERROR(reader->Execute("PRAGMA query_only = ON"));
  return reader;
}

absl::Status SqliteStore::Read(absl::FunctionRef<absl::Status(StoreReader&)> read) {
  DM_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> db, OpenReader());
  DM_RETURN_IF_ERROR(db->Change("BEGIN DEFERRED"));
  SqlView view(*db, clock_);
  const absl::Status status = read(view);
  // A connection that cannot end its transaction would keep an old view: it is not used again.
  if (!db->Change("ROLLBACK").ok()) return status;
  absl::MutexLock lock(&readers_mu_);
  if (idle_readers_.size() < kMaxIdleReaders) idle_readers_.push_back(std::move(db));
  return status;
}

absl::StatusOr<std::vector<OperationRecord>> SqliteStore::ClaimOperations(absl::string_view owner,
                                                                          int limit) {
  return ClaimIn(*this, owner, limit);
}

absl::Status SqliteStore::RenewLeases(absl::string_view owner) { return RenewIn(*this, owner); }

absl::Status SqliteStore::ReleaseLeases(absl::string_view owner) { return ReleaseIn(*this, owner); }

}  // namespace machine::orchestrator
