// Whole stores from one database to another.
#ifndef SERVICES_ORCHESTRATOR_STORE_STORE_COPY_H_
#define SERVICES_ORCHESTRATOR_STORE_STORE_COPY_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/orchestrator/store/postgres_address.h"

namespace machine::orchestrator {

// All of these block, change nothing at the source, and leave nothing half done at the target. What
// is sealed stays so: the key file is not part of a store.
// Errors: ALREADY_EXISTS when the target holds something; FAILED_PRECONDITION when it is in use or
// the source was written by a newer version; DATA_LOSS STORE_CORRUPT; as the databases say.

/// The store in the file `from`, which may be in use, to the new file `to`: one file, mode 0600.
absl::Status BackUpFile(absl::string_view from, absl::string_view to);
/// One moment of a database, which may be in use, to the new file `to`.
absl::Status BackUpDatabase(const PostgresAddress& from, absl::string_view to);

/// A backup to where a store is to be. The backup stays as it is.
absl::Status RestoreFile(absl::string_view backup, absl::string_view store);
/// A backup, or the store of an orchestrator that does not run, to a database in which nothing was
/// stored yet.
absl::Status CopyToDatabase(absl::string_view from, const PostgresAddress& to);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_STORE_COPY_H_
