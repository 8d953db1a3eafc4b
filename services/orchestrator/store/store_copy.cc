#include "services/orchestrator/store/store_copy.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/postgres_connection.h"
#include "services/orchestrator/store/postgres_schema.h"
#include "services/orchestrator/store/sql_copy.h"
#include "services/orchestrator/store/sqlite_connection.h"
#include "services/orchestrator/store/sqlite_schema.h"
#include "services/orchestrator/store/sqlite_store.h"

namespace machine::orchestrator {
namespace {

// A transaction in which rows are read from a large store in between may pause.
constexpr absl::Duration kIdleLimit = absl::Minutes(5);

absl::Status RefuseExisting(absl::string_view path) {
  if (access(std::string(path).c_str(), F_OK) != 0) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(path, " exists: move it away or name another file"));
}

void RemoveDraft(const std::string& draft) {
  for (const absl::string_view suffix : {"", "-wal", "-shm", "-journal", ".lock"}) {
    unlink(absl::StrCat(draft, suffix).c_str());
  }
}

absl::StatusOr<common::UniqueFd> NewFile(const std::string& path) {
  common::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  return fd;
}

// Makes the finished draft the file at `to`, durably and only if there is none.
absl::Status Publish(const std::string& draft, const std::string& to) {
  const common::UniqueFd file(open(draft.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid() || fsync(file.get()) != 0 || link(draft.c_str(), to.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", to));
  }
  const size_t slash = to.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : to.substr(0, slash + 1);
  const common::UniqueFd parent(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.valid()) fsync(parent.get());
  return absl::OkStatus();
}

// A store that exists and can be read by this version.
absl::StatusOr<std::unique_ptr<SqliteConnection>> OpenSource(absl::string_view path) {
  if (access(std::string(path).c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no store ", path));
  }
  DM_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> db, SqliteConnection::Open(path));
  DM_RETURN_IF_ERROR(CheckSchema(*db, path));
  DM_RETURN_IF_ERROR(CheckIntegrity(*db, path, absl::InfiniteDuration()));
  return db;
}

// All pages as of one moment, beside a writer (sqlite.org/backup.html).
absl::Status CopyPages(SqliteConnection& from, SqliteConnection& to) {
  sqlite3_backup* const backup = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
  if (backup == nullptr) return to.Failure(sqlite3_errcode(to.handle()));
  const int stepped = sqlite3_backup_step(backup, /*nPage=*/-1);
  const int finished = sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE) return to.Failure(stepped);
  if (finished != SQLITE_OK) return to.Failure(finished);
  // One file, without a log beside it.
  return to.Execute("PRAGMA journal_mode = DELETE");
}

absl::Status CopyFile(absl::string_view from, const std::string& to) {
  DM_RETURN_IF_ERROR(RefuseExisting(to));
  DM_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> source, OpenSource(from));
  const std::string draft = absl::StrCat(to, ".part");
  RemoveDraft(draft);
  const absl::Cleanup remove = [&] { RemoveDraft(draft); };
  DM_RETURN_IF_ERROR(NewFile(draft).status());
  {
    DM_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> target,
                        SqliteConnection::Open(draft));
    DM_RETURN_IF_ERROR(CopyPages(*source, *target));
    DM_RETURN_IF_ERROR(CheckIntegrity(*target, draft, absl::InfiniteDuration()));
  }
  return Publish(draft, to);
}

// What PostgreSQL keeps beside the rows.
absl::Status SetCounters(SqlConnection& db) {
  DM_RETURN_IF_ERROR(
      db.Change("UPDATE operations SET last_sequence = (SELECT coalesce(max(sequence), 0) "
                "FROM events WHERE operation = position)"));
  return db
      .Query(
          "SELECT setval(pg_get_serial_sequence('operations', 'position'), "
          "(SELECT coalesce(max(position), 0) + 1 FROM operations), false)")
      .status();
}

}  // namespace

absl::Status BackUpFile(absl::string_view from, absl::string_view to) {
  return CopyFile(from, std::string(to));
}

absl::Status BackUpDatabase(const PostgresAddress& from, absl::string_view to) {
  const std::string path(to);
  DM_RETURN_IF_ERROR(RefuseExisting(path));
  DM_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> source,
                      PostgresConnection::Connect(from, kIdleLimit));
  DM_RETURN_IF_ERROR(CheckPostgresSchema(*source, from.printable()));
  const std::string draft = absl::StrCat(path, ".part");
  RemoveDraft(draft);
  const absl::Cleanup remove = [&] { RemoveDraft(draft); };
  DM_RETURN_IF_ERROR(SqliteStore::Open(draft).status());  // Makes the tables.
  {
    DM_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> target,
                        SqliteConnection::Open(draft));
    DM_RETURN_IF_ERROR(source->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    DM_RETURN_IF_ERROR(target->Execute("BEGIN"));
    DM_RETURN_IF_ERROR(CopyContents(*source, *target, draft));
    DM_RETURN_IF_ERROR(target->Execute("COMMIT; PRAGMA journal_mode = DELETE"));
  }
  return Publish(draft, path);
}

absl::Status RestoreFile(absl::string_view backup, absl::string_view store) {
  const size_t slash = store.rfind('/');
  if (slash != absl::string_view::npos) {
    DM_RETURN_IF_ERROR(common::EnsureDir(store.substr(0, slash), 0700));
  }
  DM_ASSIGN_OR_RETURN(const common::UniqueFd lock, LockSqliteStore(store));
  return CopyFile(backup, std::string(store));
}

absl::Status CopyToDatabase(absl::string_view from, const PostgresAddress& to) {
  // Nobody may change it meanwhile, or after: it would be another truth.
  DM_ASSIGN_OR_RETURN(const common::UniqueFd lock, LockSqliteStore(from));
  DM_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> source, OpenSource(from));
  // A backup may be of an older version.
  DM_RETURN_IF_ERROR(Migrate(*source));
  DM_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> target,
                      PostgresConnection::Connect(to, kIdleLimit));
  DM_RETURN_IF_ERROR(MigratePostgres(*target, to.printable()));
  DM_RETURN_IF_ERROR(target->Execute("BEGIN"));
  // As every writer of a shared store does first.
  DM_RETURN_IF_ERROR(target->Query("SELECT revision FROM orchestrator FOR UPDATE").status());
  DM_RETURN_IF_ERROR(CopyContents(*source, *target, absl::StrCat("the store ", to.printable())));
  DM_RETURN_IF_ERROR(SetCounters(*target));
  return target->Commit();
}

}  // namespace machine::orchestrator
