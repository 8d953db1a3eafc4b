// SQL databases as the store sees them: connections, statements, and where their SQL differs.
//
//   DM_ASSIGN_OR_RETURN(SqlStatement row,
//                       db.Query("SELECT record FROM machines WHERE uid = ?1", uid));
//   DM_ASSIGN_OR_RETURN(const bool found, row.Step());
//   if (found) Parse(row.Bytes(0));
#ifndef SERVICES_ORCHESTRATOR_STORE_SQL_H_
#define SERVICES_ORCHESTRATOR_STORE_SQL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace machine::orchestrator {

/// A parameter of a binary type; a plain string is text.
struct Blob {
  absl::string_view bytes;
};

using SqlValue = std::variant<int64_t, absl::string_view, Blob>;

/// The rows that a query gives. See SqlStatement.
class SqlCursor {
 public:
  virtual ~SqlCursor() = default;
  virtual absl::StatusOr<bool> Step() = 0;
  virtual int64_t Int(int column) const = 0;
  virtual absl::string_view Bytes(int column) const = 0;
};

/// A query under way. Must go before its connection.
class SqlStatement {
 public:
  explicit SqlStatement(std::unique_ptr<SqlCursor> cursor) : cursor_(std::move(cursor)) {}

  /// Goes to the next row; false when there is none.
  absl::StatusOr<bool> Step() { return cursor_->Step(); }
  /// Runs a statement that gives no rows.
  absl::Status Run() { return Step().status(); }

  /// Columns of the current row, from 0; NULL is 0 or empty. Bytes() is valid until the next
  /// Step().
  int64_t Int(int column) const { return cursor_->Int(column); }
  absl::string_view Bytes(int column) const { return cursor_->Bytes(column); }

 private:
  std::unique_ptr<SqlCursor> cursor_;
};

/// What is not the same in all databases.
struct SqlDialect {
  /// After the name of table operations: makes the database use its index of open ones.
  absl::string_view open_operations_hint;
  /// Of an open operation: ?1, who asks, may take it over at ?2, microseconds since 1970.
  absl::string_view claimable;
  /// After a SELECT of rows to take: leaves those that another transaction is about to take.
  absl::string_view skip_locked;
  /// Gives the position of operation ?1 and the sequence of its next event.
  absl::string_view next_event;
};

/// One connection to a database. For one thread at a time; its statements must go before it.
class SqlConnection {
 public:
  virtual ~SqlConnection() = default;

  /// Runs `script`, one or more statements without parameters or results.
  virtual absl::Status Execute(const std::string& script) = 0;

  /// `sql` with ?1, ?2 … set to `values` (int64_t, absl::string_view or Blob), which are copied.
  /// Prepared once for each text.
  template <typename... Values>
  absl::StatusOr<SqlStatement> Query(absl::string_view sql, const Values&... values) {
    const SqlValue all[] = {SqlValue(values)..., SqlValue(int64_t{0})};
    return QueryValues(sql, absl::MakeConstSpan(all, sizeof...(values)));
  }

  /// Query() and Run() in one.
  template <typename... Values>
  absl::Status Change(absl::string_view sql, const Values&... values) {
    absl::StatusOr<SqlStatement> statement = Query(sql, values...);
    return statement.ok() ? statement->Run() : statement.status();
  }

  virtual absl::StatusOr<SqlStatement> QueryValues(absl::string_view sql,
                                                   absl::Span<const SqlValue> values) = 0;

  /// Rows that the last INSERT, UPDATE or DELETE changed.
  virtual int64_t changed_rows() const = 0;
  /// Whether a transaction is open. Some failures, as of a full disk, end it.
  virtual bool in_transaction() const = 0;

  virtual const SqlDialect& dialect() const = 0;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQL_H_
