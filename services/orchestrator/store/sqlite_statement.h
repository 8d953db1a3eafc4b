// SQLite's C interface behind two owners: a connection and a statement of it.
//
//   DM_ASSIGN_OR_RETURN(SqliteStatement row,
//                       db.Query("SELECT record FROM machines WHERE uid = ?1", uid));
//   DM_ASSIGN_OR_RETURN(const bool found, row.Step());
//   if (found) Parse(row.Bytes(0));
#ifndef SERVICES_ORCHESTRATOR_STORE_SQLITE_STATEMENT_H_
#define SERVICES_ORCHESTRATOR_STORE_SQLITE_STATEMENT_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace machine::orchestrator {

class SqliteConnection;

/// A parameter of type BLOB; a plain string is TEXT.
struct Blob {
  absl::string_view bytes;
};

/// A query under way. Borrowed from its connection, to which it returns for the next use.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  /// Goes to the next row; false when there is none.
  absl::StatusOr<bool> Step();
  /// Runs a statement that gives no rows.
  absl::Status Run();

  /// Columns of the current row, from 0. Bytes() is valid until the next Step().
  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  absl::string_view Bytes(int column) const;

 private:
  friend class SqliteConnection;
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}

  void Bind(int index, int64_t value) { sqlite3_bind_int64(statement_, index, value); }
  void Bind(int index, absl::string_view text);
  void Bind(int index, Blob blob);

  SqliteConnection* connection_;
  sqlite3_stmt* statement_;
};

/// One connection to a database file. For one thread at a time; its statements must go before it.
class SqliteConnection {
 public:
  /// Opens the existing file at `path`. Errors: see Failure().
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(absl::string_view path);
  ~SqliteConnection();

  /// Runs `script`, one or more statements without parameters or results.
  absl::Status Execute(const std::string& script);

  /// Prepares `sql`, or takes it prepared from an earlier use, with ?1, ?2 … set to `values`
  /// (int64_t, absl::string_view or Blob), which are copied.
  template <typename... Values>
  absl::StatusOr<SqliteStatement> Query(absl::string_view sql, const Values&... values) {
    absl::StatusOr<SqliteStatement> statement = Prepare(sql);
    int index = 0;
    if (statement.ok()) (statement->Bind(++index, values), ...);
    return statement;
  }

  /// Query() and Run() in one.
  template <typename... Values>
  absl::Status Change(absl::string_view sql, const Values&... values) {
    absl::StatusOr<SqliteStatement> statement = Query(sql, values...);
    return statement.ok() ? statement->Run() : statement.status();
  }

  /// Rows that the last INSERT, UPDATE or DELETE changed.
  int64_t changed_rows() const { return sqlite3_changes64(db_); }
  /// Whether a transaction is open. Some failures, as of a full disk, end it.
  bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
  sqlite3* handle() { return db_; }

  /// What SQLite's result `code` means: RESOURCE_EXHAUSTED for a full disk, DATA_LOSS
  /// STORE_CORRUPT, PERMISSION_DENIED, UNAVAILABLE when another process has it locked, INTERNAL.
  /// Names the file.
  absl::Status Failure(int code) const;

 private:
  friend class SqliteStatement;
  SqliteConnection(absl::string_view path, sqlite3* db) : path_(path), db_(db) {}

  absl::StatusOr<SqliteStatement> Prepare(absl::string_view sql);
  void Return(sqlite3_stmt* statement);

  const std::string path_;
  sqlite3* const db_;
  absl::flat_hash_map<std::string, sqlite3_stmt*> idle_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQLITE_STATEMENT_H_
