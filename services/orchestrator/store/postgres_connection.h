// libpq's C interface behind an owner.
#ifndef SERVICES_ORCHESTRATOR_STORE_POSTGRES_CONNECTION_H_
#define SERVICES_ORCHESTRATOR_STORE_POSTGRES_CONNECTION_H_

#include <postgresql/libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/orchestrator/store/postgres_address.h"
#include "services/orchestrator/store/sql.h"

namespace machine::orchestrator {

/// A connection to a PostgreSQL server. Answers are waited for 20 s at most; a connection that was
/// lost, or gave no answer, is of no use any more.
///
/// Errors of all methods: UNAVAILABLE STORE_UNAVAILABLE when the server does not answer, is
/// restarting or a lock was not to be had; RESOURCE_EXHAUSTED for its full disk;
/// PERMISSION_DENIED; DATA_LOSS STORE_CORRUPT; INVALID_ARGUMENT for text that no database can keep;
/// INTERNAL. Each names the database.
class PostgresConnection final : public SqlConnection {
 public:
  /// `idle_limit`: a transaction in which nothing happens for so long is ended by the server, with
  /// the connection, so that a process that was stopped holds no lock.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Connect(const PostgresAddress& address,
                                                                     absl::Duration idle_limit);
  ~PostgresConnection() override;

  absl::Status Execute(const std::string& script) override;
  absl::StatusOr<SqlStatement> QueryValues(absl::string_view sql,
                                           absl::Span<const SqlValue> values) override;
  int64_t changed_rows() const override { return changed_rows_; }
  bool in_transaction() const override;
  const SqlDialect& dialect() const override;

  /// COMMIT. An error on a connection that is alive() afterwards says that nothing was committed;
  /// else it is not known.
  absl::Status Commit();

  bool alive() const;
  /// For poll(): readable when notifications have come.
  int socket() const { return PQsocket(connection_.get()); }
  /// Channels and payloads of the notifications that have come. Does not wait.
  std::vector<std::pair<std::string, std::string>> TakeNotifications();

 private:
  class Cursor;
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Result = std::unique_ptr<PGresult, Clear>;

  PostgresConnection(PGconn* connection, std::string name)
      : connection_(connection), name_(std::move(name)) {}

  // Waits for what was sent; the last result, or the first that is an error.
  absl::StatusOr<Result> Await();
  absl::StatusOr<std::string> Prepare(absl::string_view sql, absl::Span<const SqlValue> values);
  absl::Status Failure(const PGresult* result) const;
  absl::Status Lost() const;

  const std::unique_ptr<PGconn, Finish> connection_;
  const std::string name_;
  bool broken_ = false;
  int64_t changed_rows_ = 0;
  absl::flat_hash_map<std::string, std::string> prepared_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_POSTGRES_CONNECTION_H_
