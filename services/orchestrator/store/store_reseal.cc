#include "services/orchestrator/store/store_reseal.h"

#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/postgres_connection.h"
#include "services/orchestrator/store/postgres_schema.h"
#include "services/orchestrator/store/records.pb.h"
#include "services/orchestrator/store/sqlite_connection.h"
#include "services/orchestrator/store/sqlite_schema.h"
#include "services/orchestrator/store/sqlite_store.h"

namespace machine::orchestrator {
namespace {

// Between two rows nothing else happens, but a value may be large.
constexpr absl::Duration kIdleLimit = absl::Minutes(5);

struct Row {
  std::string key;
  std::string second_key;
  std::string bytes;
};

// Read before anything is changed: a cursor must not meet its own updates.
template <typename... Values>
absl::StatusOr<std::vector<Row>> Rows(SqlConnection& db, absl::string_view sql,
                                      const Values&... values) {
  std::vector<Row> rows;
  DM_ASSIGN_OR_RETURN(SqlStatement row, db.Query(sql, values...));
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return rows;
    rows.push_back(
        {std::string(row.Bytes(0)), std::string(row.Bytes(1)), std::string(row.Bytes(2))});
  }
}

absl::Status ResealSecrets(SqlConnection& db, absl::string_view first, Reseal reseal,
                           int64_t& count) {
  DM_ASSIGN_OR_RETURN(
      const std::vector<Row> rows,
      Rows(db, "SELECT owner, name, sealed FROM secrets ORDER BY owner <> ?1", first));
  for (const Row& row : rows) {
    DM_ASSIGN_OR_RETURN(const std::string sealed, reseal(row.key, row.second_key, row.bytes));
    DM_RETURN_IF_ERROR(db.Change("UPDATE secrets SET sealed = ?3 WHERE owner = ?1 AND name = ?2",
                                 absl::string_view(row.key), absl::string_view(row.second_key),
                                 Blob{sealed}));
    ++count;
  }
  return absl::OkStatus();
}

// `field` gives the sealed value in a record, empty for none.
template <typename Record>
absl::Status ResealRecords(SqlConnection& db, absl::string_view table, absl::string_view key,
                           std::string* (*field)(Record&), Reseal reseal, int64_t& count) {
  DM_ASSIGN_OR_RETURN(const std::vector<Row> rows,
                      Rows(db, absl::StrCat("SELECT ", key, ", ", key, ", record FROM ", table)));
  const std::string update =
      absl::StrCat("UPDATE ", table, " SET record = ?2 WHERE ", key, " = ?1");
  for (const Row& row : rows) {
    Record record;
    if (!record.ParseFromString(row.bytes)) {
      return common::Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
                           absl::StrCat("the row ", row.key, " of ", table,
                                        " cannot be read: restore the store from a backup"));
    }
    std::string* const sealed = field(record);
    if (sealed->empty()) continue;
    DM_ASSIGN_OR_RETURN(*sealed, reseal("", "", *sealed));
    DM_RETURN_IF_ERROR(
        db.Change(update, absl::string_view(row.key), Blob{record.SerializeAsString()}));
    ++count;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ResealAll(SqlConnection& db, absl::string_view first, Reseal reseal) {
  using ::orchestrator::store::CertificateRecord;
  using ::orchestrator::store::DriverRecord;
  using ::orchestrator::store::MachineRecord;
  using ::orchestrator::store::TombstoneRecord;
  int64_t count = 0;
  DM_RETURN_IF_ERROR(ResealSecrets(db, first, reseal, count));
  DM_RETURN_IF_ERROR(ResealRecords<MachineRecord>(
      db, "machines", "uid", [](MachineRecord& r) { return r.mutable_driver_state_sealed(); },
      reseal, count));
  DM_RETURN_IF_ERROR(ResealRecords<TombstoneRecord>(
      db, "tombstones", "uid",
      [](TombstoneRecord& r) { return r.mutable_machine()->mutable_driver_state_sealed(); }, reseal,
      count));
  DM_RETURN_IF_ERROR(ResealRecords<DriverRecord>(
      db, "drivers", "name", [](DriverRecord& r) { return r.mutable_client_key_sealed(); }, reseal,
      count));
  DM_RETURN_IF_ERROR(ResealRecords<CertificateRecord>(
      db, "certificates", "name", [](CertificateRecord& r) { return r.mutable_key_sealed(); },
      reseal, count));
  return count;
}

}  // namespace

absl::StatusOr<int64_t> ResealFile(absl::string_view path, absl::string_view first, Reseal reseal) {
  if (access(std::string(path).c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no store ", path));
  }
  DM_ASSIGN_OR_RETURN(const common::UniqueFd lock, LockSqliteStore(path));
  DM_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteConnection> db, SqliteConnection::Open(path));
  DM_RETURN_IF_ERROR(CheckSchema(*db, path));
  DM_RETURN_IF_ERROR(Migrate(*db));
  DM_RETURN_IF_ERROR(db->Execute("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; BEGIN"));
  DM_ASSIGN_OR_RETURN(const int64_t count, ResealAll(*db, first, reseal));
  DM_RETURN_IF_ERROR(db->Execute("COMMIT"));
  // Free pages and the log have the values as they were. It is done by now, so a disk without room
  // for this is no failure.
  db->Execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").IgnoreError();
  return count;
}

absl::StatusOr<int64_t> ResealDatabase(const PostgresAddress& address, absl::string_view first,
                                       Reseal reseal) {
  DM_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> db,
                      PostgresConnection::Connect(address, kIdleLimit));
  DM_RETURN_IF_ERROR(CheckPostgresSchema(*db, address.printable()));
  DM_ASSIGN_OR_RETURN(const bool alone, TakeStoreAlone(*db));
  if (!alone) {
    return absl::FailedPreconditionError(
        absl::StrCat("the store ", address.printable(),
                     " is in use: stop the orchestrators that serve it first"));
  }
  DM_RETURN_IF_ERROR(db->Execute("BEGIN"));
  DM_RETURN_IF_ERROR(db->Query("SELECT revision FROM orchestrator FOR UPDATE").status());
  DM_ASSIGN_OR_RETURN(const int64_t count, ResealAll(*db, first, reseal));
  // A revision without a change: an orchestrator that lost its connection before this, and comes
  // back with the old key in memory, finds that it has missed something and begins anew.
  DM_RETURN_IF_ERROR(db->Change("UPDATE orchestrator SET revision = revision + 1"));
  DM_RETURN_IF_ERROR(db->Commit());
  return count;
}

}  // namespace machine::orchestrator
