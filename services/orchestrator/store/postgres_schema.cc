#include "services/orchestrator/store/postgres_schema.h"

#include <cstdint>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

// "machines" in ASCII: any number that no other program of the database locks.
constexpr int64_t kMigrationLock = 0x6d616368696e6573;

// 0: no tables of ours.
absl::StatusOr<int64_t> SchemaVersion(SqlConnection& db) {
  DM_ASSIGN_OR_RETURN(SqlStatement table,
                      db.Query("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() "
                               "AND tablename = 'schema_version'"));
  DM_RETURN_IF_ERROR(table.Step().status());
  if (table.Int(0) == 0) return 0;
  DM_ASSIGN_OR_RETURN(SqlStatement version, db.Query("SELECT version FROM schema_version"));
  DM_ASSIGN_OR_RETURN(const bool found, version.Step());
  return found ? version.Int(0) : 0;
}

absl::Status TooNew(absl::string_view name, int64_t version, int64_t known) {
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_STATE_TOO_NEW,
                       absl::StrCat("the store ", name, " was written by a newer version (schema ",
                                    version, "; this one knows ", known, ")"),
                       {{"store", std::string(name)}});
}

absl::Status MigrateFrom(SqlConnection& db, int64_t version) {
  const absl::Span<const char* const> migrations = PostgresMigrations();
  for (size_t next = static_cast<size_t>(version); next < migrations.size(); ++next) {
    DM_RETURN_IF_ERROR(
        common::Annotate(db.Execute(migrations[next]), absl::StrCat("migration ", next + 1)));
  }
  if (version == 0) {
    DM_RETURN_IF_ERROR(
        db.Execute("CREATE TABLE schema_version (version BIGINT NOT NULL); "
                   "INSERT INTO schema_version VALUES (0)"));
    DM_RETURN_IF_ERROR(db.Change("INSERT INTO orchestrator (id) VALUES (?1)",
                                 absl::string_view(common::NewUuid())));
  }
  return db.Change("UPDATE schema_version SET version = ?1",
                   static_cast<int64_t>(migrations.size()));
}

}  // namespace

absl::Status CheckPostgresSchema(SqlConnection& db, absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(db));
  const int64_t known = static_cast<int64_t>(PostgresMigrations().size());
  if (version == 0) return absl::NotFoundError(absl::StrCat("there is no store in ", name));
  if (version > known) return TooNew(name, version, known);
  if (version == known) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the store ", name, " is of an older version: start an orchestrator of this one first"));
}

namespace {

// Of locks that are this program's (the first number) the one of this store: a database may have
// several, each in a schema of its own.
absl::StatusOr<bool> TryLock(SqlConnection& db, absl::string_view function) {
  DM_ASSIGN_OR_RETURN(
      SqlStatement row,
      db.Query(absl::StrCat(
          "SELECT ", function,
          "(1296124238, 'orchestrator'::regclass::oid::bigint::bit(32)::int)::int::bigint")));
  DM_RETURN_IF_ERROR(row.Step().status());
  return row.Int(0) != 0;
}

}  // namespace

absl::Status ShareStore(SqlConnection& db) {
  DM_ASSIGN_OR_RETURN(const bool shared, TryLock(db, "pg_try_advisory_lock_shared"));
  if (shared) return absl::OkStatus();
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_STORE_UNAVAILABLE,
                       "the store is being resealed by machine-orchestrator store rotate-key");
}

absl::StatusOr<bool> TakeStoreAlone(SqlConnection& db) {
  return TryLock(db, "pg_try_advisory_lock");
}

absl::Status MigratePostgres(SqlConnection& db, absl::string_view name) {
  DM_RETURN_IF_ERROR(db.Execute("BEGIN"));
  absl::Cleanup rollback = [&] { db.Execute("ROLLBACK").IgnoreError(); };
  DM_RETURN_IF_ERROR(db.Query("SELECT pg_advisory_xact_lock(?1)", kMigrationLock).status());
  DM_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(db));
  const int64_t known = static_cast<int64_t>(PostgresMigrations().size());
  if (version > known) return TooNew(name, version, known);
  if (version < known) DM_RETURN_IF_ERROR(MigrateFrom(db, version));
  DM_RETURN_IF_ERROR(db.Execute("COMMIT"));
  std::move(rollback).Cancel();
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
