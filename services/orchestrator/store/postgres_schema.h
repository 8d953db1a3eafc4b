// The tables of a PostgreSQL store.
#ifndef SERVICES_ORCHESTRATOR_STORE_POSTGRES_SCHEMA_H_
#define SERVICES_ORCHESTRATOR_STORE_POSTGRES_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "services/orchestrator/store/sql.h"

namespace machine::orchestrator {

/// The files of migrations/postgres/, in order: migration N leads from schema N-1 to N.
absl::Span<const char* const> PostgresMigrations();

/// Whether the tables are those of this version. NOT_FOUND when there are none, FAILED_PRECONDITION
/// for another version. Changes nothing.
absl::Status CheckPostgresSchema(SqlConnection& db, absl::string_view name);

/// Brings the tables in the first schema of the search path up to date in one transaction; makes
/// them, with a new orchestrator id, where there are none. Of several processes that do so at once,
/// one does it. FAILED_PRECONDITION STATE_TOO_NEW when a newer version has been here; else as
/// `db` says. `name` is for messages.
absl::Status MigratePostgres(SqlConnection& db, absl::string_view name);

/// Notes that an orchestrator uses the store, for as long as the connection lasts. UNAVAILABLE
/// while somebody has it alone.
absl::Status ShareStore(SqlConnection& db);

/// Whether this connection has the store alone from now on: no orchestrator uses it, and none can
/// begin to.
absl::StatusOr<bool> TakeStoreAlone(SqlConnection& db);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_POSTGRES_SCHEMA_H_
