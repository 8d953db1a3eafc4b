#include "services/orchestrator/store/sqlite_connection.h"

#include <cerrno>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

// A null pointer would bind NULL instead of an empty value.
const char* DataOf(absl::string_view bytes) { return bytes.empty() ? "" : bytes.data(); }

}  // namespace

// A statement, borrowed from its connection, to which it returns for the next use.
class SqliteConnection::Cursor final : public SqlCursor {
 public:
  Cursor(SqliteConnection& connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}
  ~Cursor() override { connection_.Return(statement_); }

  void Bind(int index, const SqlValue& value) {
    if (const int64_t* const number = std::get_if<int64_t>(&value)) {
      sqlite3_bind_int64(statement_, index, *number);
    } else if (const absl::string_view* const text = std::get_if<absl::string_view>(&value)) {
      sqlite3_bind_text64(statement_, index, DataOf(*text), text->size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8);
    } else {
      const absl::string_view bytes = std::get<Blob>(value).bytes;
      sqlite3_bind_blob64(statement_, index, DataOf(bytes), bytes.size(), SQLITE_TRANSIENT);
    }
  }

  absl::StatusOr<bool> Step() override {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return connection_.Failure(code);
  }

  int64_t Int(int column) const override { return sqlite3_column_int64(statement_, column); }

  absl::string_view Bytes(int column) const override {
    // The order matters: the pointer first, as it may convert the value.
    const void* const data = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return absl::string_view(static_cast<const char*>(data), size);
  }

 private:
  SqliteConnection& connection_;
  sqlite3_stmt* const statement_;
};

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(absl::string_view path) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(std::string(path).c_str(), &db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (db == nullptr) return absl::ResourceExhaustedError("no memory for a database connection");
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(path, db));
  if (code != SQLITE_OK) return connection->Failure(code);
  sqlite3_extended_result_codes(db, 1);
  // For a backup tool that holds the file for a moment; our own connections never wait.
  sqlite3_busy_timeout(db, 2000);
  // Nothing of the store may end up in a temporary file elsewhere.
  DM_RETURN_IF_ERROR(connection->Execute("PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON"));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

absl::Status SqliteConnection::Execute(const std::string& script) {
  const int code = sqlite3_exec(db_, script.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::StatusOr<sqlite3_stmt*> SqliteConnection::Prepare(absl::string_view sql) {
  if (const auto idle = idle_.find(sql); idle != idle_.end() && idle->second != nullptr) {
    return std::exchange(idle->second, nullptr);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  return statement;
}

absl::StatusOr<SqlStatement> SqliteConnection::QueryValues(absl::string_view sql,
                                                           absl::Span<const SqlValue> values) {
  DM_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Prepare(sql));
  auto cursor = std::make_unique<Cursor>(*this, statement);
  int index = 0;
  for (const SqlValue& value : values) cursor->Bind(++index, value);
  return SqlStatement(std::move(cursor));
}

const SqlDialect& SqliteConnection::dialect() const {
  static constexpr SqlDialect kDialect = {
      // Without statistics SQLite would go through the whole history to find open ones.
      .open_operations_hint = "INDEXED BY open_operations ",
      // The store's lock proves that no other process lives.
      .claimable = "owner <> ?1 AND ?2 > 0",
      .skip_locked = "",
      .next_event =
          "SELECT position, (SELECT coalesce(max(sequence), 0) + 1 FROM events "
          "WHERE operation = position) FROM operations WHERE name = ?1",
  };
  return kDialect;
}

void SqliteConnection::Return(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  sqlite3_stmt*& idle = idle_[sqlite3_sql(statement)];
  // Taken when the same query ran inside itself.
  if (idle != nullptr) sqlite3_finalize(idle);
  idle = statement;
}

absl::Status SqliteConnection::Failure(int code) const {
  const std::string cause = absl::StrCat(sqlite3_errmsg(db_));
  const int system_error = sqlite3_system_errno(db_);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat("the disk is full: cannot write the store ", path_));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return common::Error(
          absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
          absl::StrCat("the store ", path_, " is damaged (", cause,
                       "): nothing was deleted; put a backup in its place, or move it away to "
                       "begin with an empty store"),
          {{"path", path_}});
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return absl::PermissionDeniedError(
          absl::StrCat("cannot write the store ", path_, ": ", cause));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          absl::StrCat("the store ", path_, " is locked by another program"));
    case SQLITE_IOERR:
      if (system_error == ENOSPC || system_error == EDQUOT) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the disk is full: cannot write the store ", path_));
      }
      return absl::InternalError(absl::StrCat(
          "the disk of the store ", path_, " failed: ", cause,
          system_error == 0 ? "" : absl::StrCat(", ", common::ErrnoText(system_error))));
    default:
      return common::Error(absl::StatusCode::kInternal, machine::v1::ERROR_REASON_INVARIANT,
                           absl::StrCat("store ", path_, ": ", cause));
  }
}

}  // namespace machine::orchestrator
