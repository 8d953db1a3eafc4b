// The contents of a store from one database to another, row by row.
#ifndef SERVICES_ORCHESTRATOR_STORE_SQL_COPY_H_
#define SERVICES_ORCHESTRATOR_STORE_SQL_COPY_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/orchestrator/store/sql.h"

namespace machine::orchestrator {

/// Copies all tables of the current schema, the orchestrator's id too. The caller has begun a
/// transaction on both and commits. ALREADY_EXISTS naming `target` when anything is stored there.
absl::Status CopyContents(SqlConnection& from, SqlConnection& to, absl::string_view target);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQL_COPY_H_
