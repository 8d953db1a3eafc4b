// SQLite's C interface behind an owner.
#ifndef SERVICES_ORCHESTRATOR_STORE_SQLITE_CONNECTION_H_
#define SERVICES_ORCHESTRATOR_STORE_SQLITE_CONNECTION_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/orchestrator/store/sql.h"

namespace machine::orchestrator {

/// One connection to a database file. For one thread at a time; its statements must go before it.
class SqliteConnection final : public SqlConnection {
 public:
  /// Opens the existing file at `path`. Errors: see Failure().
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(absl::string_view path);
  ~SqliteConnection() override;

  absl::Status Execute(const std::string& script) override;
  absl::StatusOr<SqlStatement> QueryValues(absl::string_view sql,
                                           absl::Span<const SqlValue> values) override;
  int64_t changed_rows() const override { return sqlite3_changes64(db_); }
  bool in_transaction() const override { return sqlite3_get_autocommit(db_) == 0; }
  const SqlDialect& dialect() const override;
  sqlite3* handle() { return db_; }

  /// What SQLite's result `code` means: RESOURCE_EXHAUSTED for a full disk, DATA_LOSS
  /// STORE_CORRUPT, PERMISSION_DENIED, UNAVAILABLE when another process has it locked, INTERNAL.
  /// Names the file.
  absl::Status Failure(int code) const;

 private:
  class Cursor;

  SqliteConnection(absl::string_view path, sqlite3* db) : path_(path), db_(db) {}

  absl::StatusOr<sqlite3_stmt*> Prepare(absl::string_view sql);
  void Return(sqlite3_stmt* statement);

  const std::string path_;
  sqlite3* const db_;
  absl::flat_hash_map<std::string, sqlite3_stmt*> idle_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQLITE_CONNECTION_H_
