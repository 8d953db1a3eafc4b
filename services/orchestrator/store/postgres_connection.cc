#include "services/orchestrator/store/postgres_connection.h"

#include <endian.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kAnswerLimit = absl::Seconds(20);
// Less than kAnswerLimit: who waits for a lock learns it from the server.
constexpr char kLockLimit[] = "10s";

// Of catalog pg_type; these never change.
constexpr Oid kInt8 = 20;
constexpr Oid kText = 25;
constexpr Oid kBytea = 17;
constexpr int kBinary = 1;

// libpq's messages are lines, some indented.
std::string OneLine(absl::string_view message) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(message), {{"\n", "; "}, {"\t", ""}});
}

Oid TypeOf(const SqlValue& value) {
  if (std::holds_alternative<int64_t>(value)) return kInt8;
  return std::holds_alternative<Blob>(value) ? kBytea : kText;
}

absl::Status Unavailable(absl::string_view name, absl::string_view cause) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_STORE_UNAVAILABLE,
                       absl::StrCat("the store ", name, " cannot be used now: ", cause),
                       {{"store", std::string(name)}});
}

// The parameters of a query as libpq wants them. Borrows from the values.
class Parameters {
 public:
  explicit Parameters(absl::Span<const SqlValue> values) : numbers_(values.size()) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (const int64_t* const number = std::get_if<int64_t>(&values[i])) {
        numbers_[i] = htobe64(static_cast<uint64_t>(*number));
        Add({reinterpret_cast<const char*>(&numbers_[i]), sizeof(uint64_t)});
      } else if (const absl::string_view* const text = std::get_if<absl::string_view>(&values[i])) {
        Add(*text);
      } else {
        Add(std::get<Blob>(values[i]).bytes);
      }
    }
  }

  int size() const { return static_cast<int>(data_.size()); }
  const char* const* data() const { return data_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  void Add(absl::string_view bytes) {
    // A null pointer would be NULL instead of an empty value.
    data_.push_back(bytes.empty() ? "" : bytes.data());
    lengths_.push_back(static_cast<int>(bytes.size()));
    formats_.push_back(kBinary);
  }

  std::vector<uint64_t> numbers_;
  std::vector<const char*> data_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

}  // namespace

// All rows of a query, in binary form.
class PostgresConnection::Cursor final : public SqlCursor {
 public:
  explicit Cursor(Result result) : result_(std::move(result)) {}

  absl::StatusOr<bool> Step() override { return ++row_ < PQntuples(result_.get()); }

  int64_t Int(int column) const override {
    const absl::string_view bytes = Bytes(column);
    uint64_t number = 0;
    if (bytes.size() != sizeof(number)) return 0;
    std::memcpy(&number, bytes.data(), sizeof(number));
    return static_cast<int64_t>(be64toh(number));
  }

  absl::string_view Bytes(int column) const override {
    return {PQgetvalue(result_.get(), row_, column),
            static_cast<size_t>(PQgetlength(result_.get(), row_, column))};
  }

 private:
  const Result result_;
  int row_ = -1;
};

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Connect(
    const PostgresAddress& address, absl::Duration idle_limit) {
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : address.parameters()) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* const raw = PQconnectdbParams(names.data(), values.data(), /*expand_dbname=*/0);
  if (raw == nullptr) return absl::ResourceExhaustedError("no memory for a database connection");
  std::unique_ptr<PostgresConnection> connection(new PostgresConnection(raw, address.printable()));
  if (PQstatus(raw) != CONNECTION_OK) {
    return Unavailable(address.printable(), OneLine(PQerrorMessage(raw)));
  }
  // So that a server that takes nothing more does not hold this thread for longer than Await().
  PQsetnonblocking(raw, 1);
  // What a server has to say beside its answers is for its own log.
  PQsetNoticeProcessor(
      raw, [](void*, const char*) {}, nullptr);
  DM_RETURN_IF_ERROR(connection->Execute(absl::StrCat(
      "SET idle_in_transaction_session_timeout = ", absl::ToInt64Milliseconds(idle_limit),
      "; SET lock_timeout = '", kLockLimit,
      "'; SET default_transaction_isolation = 'read committed'; "
      // A commit that was reported must survive.
      "SELECT set_config('synchronous_commit', 'on', false) "
      "WHERE current_setting('synchronous_commit') = 'off'")));
  return connection;
}

PostgresConnection::~PostgresConnection() = default;

bool PostgresConnection::alive() const {
  return !broken_ && PQstatus(connection_.get()) == CONNECTION_OK;
}

bool PostgresConnection::in_transaction() const {
  if (!alive()) return false;
  const PGTransactionStatusType status = PQtransactionStatus(connection_.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

absl::Status PostgresConnection::Lost() const {
  const std::string cause = OneLine(PQerrorMessage(connection_.get()));
  return Unavailable(name_, cause.empty() ? "the connection was lost" : cause);
}

absl::StatusOr<PostgresConnection::Result> PostgresConnection::Await() {
  const absl::Time deadline = absl::Now() + kAnswerLimit;
  PGconn* const connection = connection_.get();
  Result last;
  for (;;) {
    // Also sends what did not fit into the socket's buffer.
    const int unsent = PQflush(connection);
    if (unsent < 0) break;
    if (unsent == 0 && PQisBusy(connection) == 0) {
      Result result(PQgetResult(connection));
      if (result == nullptr) return last;
      // After an error only what it kept from running follows.
      if (last == nullptr || PQresultStatus(last.get()) != PGRES_FATAL_ERROR) {
        last = std::move(result);
      }
      if (PQstatus(connection) != CONNECTION_OK) return last;
      continue;
    }
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    pollfd socket = {.fd = PQsocket(connection),
                     .events = static_cast<int16_t>(POLLIN | (unsent > 0 ? POLLOUT : 0)),
                     .revents = 0};
    const int ready = left <= 0 ? 0 : poll(&socket, 1, static_cast<int>(left));
    if (ready == 0) {
      broken_ = true;
      return Unavailable(name_, absl::StrCat("no answer for ", absl::FormatDuration(kAnswerLimit)));
    }
    if (ready < 0 && errno == EINTR) continue;
    if (PQconsumeInput(connection) == 0) break;
  }
  broken_ = true;
  return Lost();
}

absl::Status PostgresConnection::Execute(const std::string& script) {
  if (!alive()) return Lost();
  if (PQsendQuery(connection_.get(), script.c_str()) == 0) return Lost();
  DM_ASSIGN_OR_RETURN(const Result result, Await());
  return Failure(result.get());
}

absl::Status PostgresConnection::Commit() {
  if (!alive()) return Lost();
  if (PQsendQuery(connection_.get(), "COMMIT") == 0) return Lost();
  DM_ASSIGN_OR_RETURN(const Result result, Await());
  DM_RETURN_IF_ERROR(Failure(result.get()));
  // After an error in the transaction the server says so only here.
  if (absl::string_view(PQcmdStatus(result.get())) == "COMMIT") return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the store ", name_, " rolled a transaction back"));
}

absl::StatusOr<std::string> PostgresConnection::Prepare(absl::string_view sql,
                                                        absl::Span<const SqlValue> values) {
  if (const auto known = prepared_.find(sql); known != prepared_.end()) return known->second;
  std::string name = absl::StrCat("s", prepared_.size());
  std::vector<Oid> types;
  for (const SqlValue& value : values) types.push_back(TypeOf(value));
  // The store's SQL has ?1 where PostgreSQL has $1, and no other question marks.
  const std::string text = absl::StrReplaceAll(sql, {{"?", "$"}});
  if (PQsendPrepare(connection_.get(), name.c_str(), text.c_str(), static_cast<int>(types.size()),
                    types.data()) == 0) {
    return Lost();
  }
  DM_ASSIGN_OR_RETURN(const Result result, Await());
  DM_RETURN_IF_ERROR(Failure(result.get()));
  prepared_[std::string(sql)] = name;
  return name;
}

absl::StatusOr<SqlStatement> PostgresConnection::QueryValues(absl::string_view sql,
                                                             absl::Span<const SqlValue> values) {
  if (!alive()) return Lost();
  DM_ASSIGN_OR_RETURN(const std::string name, Prepare(sql, values));
  const Parameters parameters(values);
  if (PQsendQueryPrepared(connection_.get(), name.c_str(), parameters.size(), parameters.data(),
                          parameters.lengths(), parameters.formats(), kBinary) == 0) {
    return Lost();
  }
  DM_ASSIGN_OR_RETURN(Result result, Await());
  DM_RETURN_IF_ERROR(Failure(result.get()));
  if (!absl::SimpleAtoi(PQcmdTuples(result.get()), &changed_rows_)) changed_rows_ = 0;
  return SqlStatement(std::make_unique<Cursor>(std::move(result)));
}

std::vector<std::pair<std::string, std::string>> PostgresConnection::TakeNotifications() {
  std::vector<std::pair<std::string, std::string>> notifications;
  if (!alive() || PQconsumeInput(connection_.get()) == 0) {
    broken_ = true;
    return notifications;
  }
  for (;;) {
    const std::unique_ptr<PGnotify, decltype(&PQfreemem)> notification(
        PQnotifies(connection_.get()), PQfreemem);
    if (notification == nullptr) return notifications;
    notifications.emplace_back(notification->relname, notification->extra);
  }
}

// Codes: PostgreSQL 15, appendix A.
absl::Status PostgresConnection::Failure(const PGresult* result) const {
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
    return absl::OkStatus();
  }
  const char* const field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const absl::string_view code = field == nullptr ? "" : field;
  const absl::string_view category = code.substr(0, 2);
  const std::string cause = OneLine(PQresultErrorMessage(result));
  if (code == "53100") {
    return absl::ResourceExhaustedError(
        absl::StrCat("the disk of the store ", name_, " is full: ", cause));
  }
  // 08 connection, 25006 a standby, 25P03 idle for too long, 40 try again, 53 short of resources,
  // 55P03 a lock, 57 the operator, for example a restart.
  if (code.empty() || category == "08" || code == "25006" || code == "25P03" || category == "40" ||
      category == "53" || code == "55P03" || category == "57") {
    return Unavailable(name_, cause);
  }
  if (code == "42501") {
    return absl::PermissionDeniedError(absl::StrCat("the store ", name_, ": ", cause));
  }
  if (category == "22") {
    return absl::InvalidArgumentError(
        absl::StrCat("the store ", name_, " cannot keep this: ", cause));
  }
  if (category == "XX" && code != "XX000") {
    return common::Error(
        absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
        absl::StrCat("the store ", name_, " is damaged (", cause, "): restore it from a backup"),
        {{"store", name_}});
  }
  return common::Error(absl::StatusCode::kInternal, machine::v1::ERROR_REASON_INVARIANT,
                       absl::StrCat("store ", name_, ": ", cause));
}

const SqlDialect& PostgresConnection::dialect() const {
  static constexpr SqlDialect kDialect = {
      .open_operations_hint = "",
      // Whoever it belonged to. Its owner's name is changed when it stops by its own clock.
      .claimable = "lease_until < ?2 AND ?1 <> ''",
      .skip_locked = " FOR UPDATE SKIP LOCKED",
      .next_event =
          "UPDATE operations SET last_sequence = last_sequence + 1 WHERE name = ?1 "
          "RETURNING position, last_sequence",
  };
  return kDialect;
}

}  // namespace machine::orchestrator
