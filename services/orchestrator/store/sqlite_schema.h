// The tables of a SQLite store: their migrations and the check of a file before it is used.
#ifndef SERVICES_ORCHESTRATOR_STORE_SQLITE_SCHEMA_H_
#define SERVICES_ORCHESTRATOR_STORE_SQLITE_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "services/orchestrator/store/sqlite_connection.h"

namespace machine::orchestrator {

/// The files of migrations/, in order: migration N leads from schema N-1 to N.
absl::Span<const char* const> SqliteMigrations();

/// Refuses a file that is not ours to write, before anything in it is changed.
/// Errors: FAILED_PRECONDITION STATE_TOO_NEW, FAILED_PRECONDITION for another program's database,
/// DATA_LOSS STORE_CORRUPT.
absl::Status CheckSchema(SqliteConnection& db, absl::string_view path);

/// Brings the tables up to date in one transaction; makes them, with a new orchestrator id, in an
/// empty file.
absl::Status Migrate(SqliteConnection& db);

/// Looks at the structure of the tables, the ones that matter most first, for at most `budget`:
/// the history of a large store may be left out. DATA_LOSS STORE_CORRUPT when one is damaged.
absl::Status CheckIntegrity(SqliteConnection& db, absl::string_view path, absl::Duration budget);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQLITE_SCHEMA_H_
