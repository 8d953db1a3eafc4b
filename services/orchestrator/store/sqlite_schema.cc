#include "services/orchestrator/store/sqlite_schema.h"

#include <cstdint>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

// 0: an empty file.
absl::StatusOr<int64_t> SchemaVersion(SqliteConnection& db, absl::string_view path) {
  DM_ASSIGN_OR_RETURN(
      SqlStatement tables,
      db.Query("SELECT count(*), coalesce(sum(name = 'schema_version'), 0) FROM sqlite_master"));
  DM_RETURN_IF_ERROR(tables.Step().status());
  if (tables.Int(0) == 0) return 0;
  if (tables.Int(1) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is a database of another program, not a store"));
  }
  DM_ASSIGN_OR_RETURN(SqlStatement version, db.Query("SELECT version FROM schema_version"));
  DM_ASSIGN_OR_RETURN(const bool found, version.Step());
  return found ? version.Int(0) : 0;
}

absl::Status MigrateFrom(SqliteConnection& db, int64_t version) {
  const absl::Span<const char* const> migrations = SqliteMigrations();
  for (size_t next = version; next < migrations.size(); ++next) {
    DM_RETURN_IF_ERROR(
        common::Annotate(db.Execute(migrations[next]), absl::StrCat("migration ", next + 1)));
  }
  if (version == 0) {
    DM_RETURN_IF_ERROR(db.Change("INSERT INTO orchestrator (id) VALUES (?1)",
                                 absl::string_view(common::NewUuid())));
    DM_RETURN_IF_ERROR(
        db.Execute("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;"
                   "INSERT INTO schema_version VALUES (0)"));
  }
  return db.Change("UPDATE schema_version SET version = ?1",
                   static_cast<int64_t>(migrations.size()));
}

int PastDeadline(void* deadline) {
  return absl::Now() > *static_cast<const absl::Time*>(deadline) ? 1 : 0;
}

}  // namespace

absl::Status CheckSchema(SqliteConnection& db, absl::string_view path) {
  DM_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(db, path));
  const int64_t known = static_cast<int64_t>(SqliteMigrations().size());
  if (version <= known) return absl::OkStatus();
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_STATE_TOO_NEW,
                       absl::StrCat("the store ", path, " was written by a newer version (schema ",
                                    version, "; this one knows ", known, ")"),
                       {{"path", std::string(path)}});
}

absl::Status Migrate(SqliteConnection& db) {
  DM_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(db, ""));
  if (version == static_cast<int64_t>(SqliteMigrations().size())) return absl::OkStatus();
  DM_RETURN_IF_ERROR(db.Execute("BEGIN IMMEDIATE"));
  absl::Cleanup rollback = [&] { db.Execute("ROLLBACK").IgnoreError(); };
  DM_RETURN_IF_ERROR(MigrateFrom(db, version));
  DM_RETURN_IF_ERROR(db.Execute("COMMIT"));
  std::move(rollback).Cancel();
  return absl::OkStatus();
}

absl::Status CheckIntegrity(SqliteConnection& db, absl::string_view path, absl::Duration budget) {
  // The process's real time: SQLite is what takes it.
  absl::Time deadline = absl::Now() + budget;
  constexpr int kInstructionsPerLook = 10'000;
  sqlite3_progress_handler(db.handle(), kInstructionsPerLook, PastDeadline, &deadline);
  absl::Cleanup unset = [&] { sqlite3_progress_handler(db.handle(), 0, nullptr, nullptr); };
  for (const absl::string_view table :
       {"machines", "secrets", "certificates", "drivers", "users", "grants", "join_tokens",
        "orchestrator", "operations", "requests", "events", "tombstones", "credentials", "audit"}) {
    DM_ASSIGN_OR_RETURN(SqlStatement exists,
                        db.Query("SELECT 1 FROM sqlite_master WHERE name = ?1", table));
    DM_ASSIGN_OR_RETURN(const bool found, exists.Step());
    if (!found) continue;  // Of an empty file or an older schema.
    DM_ASSIGN_OR_RETURN(SqlStatement check,
                        db.Query(absl::StrCat("PRAGMA quick_check('", table, "')")));
    const absl::StatusOr<bool> row = check.Step();
    if (sqlite3_errcode(db.handle()) == SQLITE_INTERRUPT) return absl::OkStatus();
    DM_RETURN_IF_ERROR(row.status());
    if (*row && check.Bytes(0) == "ok") continue;
    return common::Error(
        absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
        absl::StrCat("the store ", path, " is damaged (", table, ": ", check.Bytes(0),
                     "): nothing was deleted; put a backup in its place, or move it away to begin "
                     "with an empty store"),
        {{"path", std::string(path)}});
  }
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
