#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sql_transaction.h"

namespace machine::orchestrator {
namespace {

absl::Status BadRow(absl::string_view kind, absl::string_view name) {
  return common::Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
                       absl::StrCat("the store's record of ", kind, " \"", name,
                                    "\" cannot be read: restore the store from a backup"),
                       {{kind == "machine" ? "machine" : "row", std::string(name)}});
}

template <typename Record>
absl::Status Parse(absl::string_view bytes, absl::string_view kind, absl::string_view name,
                   Record& record) {
  if (record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return BadRow(kind, name);
}

// Columns: uid, name, record.
absl::StatusOr<MachineRecord> MachineOf(const SqlStatement& row) {
  MachineRecord record;
  DM_RETURN_IF_ERROR(Parse(row.Bytes(2), "machine", row.Bytes(1), record));
  // Bytes that were damaged can still be a message; hardly one with the right uid.
  if (record.machine().uid() != row.Bytes(0)) return BadRow("machine", row.Bytes(1));
  return record;
}

// What is shown of a machine whose record cannot be read.
MachineRecord UnreadableMachine(const SqlStatement& row, const absl::Status& error) {
  MachineRecord record;
  machine::v1::Machine& machine = *record.mutable_machine();
  machine.set_uid(std::string(row.Bytes(0)));
  machine.set_name(absl::StrCat("machines/", row.Bytes(1)));
  machine.set_state(machine::v1::MACHINE_STATE_ERROR);
  *machine.mutable_last_error() = common::ToRpcStatus(error);
  return record;
}

constexpr absl::string_view kOperationColumns =
    "SELECT name, epoch, cancel_requested, record, machine_uid, machine_name FROM operations ";

// Columns: kOperationColumns.
absl::StatusOr<OperationRecord> OperationOf(const SqlStatement& row) {
  OperationRecord record;
  DM_RETURN_IF_ERROR(Parse(row.Bytes(3), "operation", row.Bytes(0), record));
  record.set_epoch(row.Int(1));
  if (row.Int(2) != 0) record.mutable_metadata()->set_cancel_requested(true);
  return record;
}

// The same; of a record that cannot be read what the other columns know of it, done with the error.
absl::StatusOr<OperationRecord> OperationOrStub(const SqlStatement& row) {
  absl::StatusOr<OperationRecord> read = OperationOf(row);
  if (!absl::IsDataLoss(read.status())) return read;
  OperationRecord record;
  record.set_name(std::string(row.Bytes(0)));
  record.set_epoch(row.Int(1));
  record.set_machine_uid(std::string(row.Bytes(4)));
  record.set_machine_name(std::string(row.Bytes(5)));
  record.mutable_metadata()->set_machine(absl::StrCat("machines/", row.Bytes(5)));
  record.mutable_metadata()->set_machine_uid(record.machine_uid());
  google::longrunning::Operation& result = *record.mutable_result();
  result.set_name(record.name());
  result.mutable_metadata()->PackFrom(record.metadata());
  result.set_done(true);
  *result.mutable_error() = common::ToRpcStatus(read.status());
  return record;
}

// Columns: uid, record.
absl::StatusOr<TombstoneRecord> TombstoneOf(const SqlStatement& row) {
  TombstoneRecord record;
  DM_RETURN_IF_ERROR(Parse(row.Bytes(1), "the removed machine", row.Bytes(0), record));
  return record;
}

// Columns: name, record.
absl::StatusOr<CredentialRecord> CredentialOf(const SqlStatement& row) {
  CredentialRecord record;
  DM_RETURN_IF_ERROR(Parse(row.Bytes(1), "credential", row.Bytes(0), record));
  return record;
}

template <typename Record>
absl::StatusOr<std::optional<Record>> OneRow(absl::StatusOr<SqlStatement> row,
                                             absl::StatusOr<Record> (*read)(const SqlStatement&)) {
  DM_RETURN_IF_ERROR(row.status());
  DM_ASSIGN_OR_RETURN(const bool found, row->Step());
  if (!found) return std::nullopt;
  DM_ASSIGN_OR_RETURN(Record record, read(*row));
  return record;
}

template <typename Record>
absl::StatusOr<std::vector<Record>> AllRows(absl::StatusOr<SqlStatement> row,
                                            absl::StatusOr<Record> (*read)(const SqlStatement&)) {
  DM_RETURN_IF_ERROR(row.status());
  std::vector<Record> records;
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row->Step());
    if (!found) return records;
    DM_ASSIGN_OR_RETURN(records.emplace_back(), read(*row));
  }
}

}  // namespace

int64_t ToMicros(absl::Time time) { return absl::ToUnixMicros(time); }

absl::StatusOr<std::optional<MachineRecord>> SqlReader::FindMachine(absl::string_view uid) {
  return OneRow(db_.Query("SELECT uid, name, record FROM machines WHERE uid = ?1", uid), MachineOf);
}

absl::StatusOr<std::optional<MachineRecord>> SqlReader::FindMachineByName(absl::string_view id) {
  return OneRow(db_.Query("SELECT uid, name, record FROM machines WHERE name = ?1", id), MachineOf);
}

absl::Status SqlReader::ForEachMachine(absl::FunctionRef<void(MachineRecord)> visit,
                                       std::vector<std::string>* bad_rows) {
  DM_ASSIGN_OR_RETURN(SqlStatement row,
                      db_.Query("SELECT uid, name, record FROM machines ORDER BY name"));
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return absl::OkStatus();
    absl::StatusOr<MachineRecord> record = MachineOf(row);
    if (record.ok()) {
      visit(*std::move(record));
      continue;
    }
    if (bad_rows != nullptr) {
      bad_rows->push_back(absl::StrCat(row.Bytes(1), ": ", record.status().message()));
    }
    visit(UnreadableMachine(row, record.status()));
  }
}

absl::StatusOr<std::optional<OperationRecord>> SqlReader::FindOperation(absl::string_view name) {
  return OneRow(db_.Query(absl::StrCat(kOperationColumns, "WHERE name = ?1"), name), OperationOf);
}

absl::StatusOr<std::optional<OperationRecord>> SqlReader::FindOperationOrStub(
    absl::string_view name) {
  return OneRow(db_.Query(absl::StrCat(kOperationColumns, "WHERE name = ?1"), name),
                OperationOrStub);
}

absl::StatusOr<std::optional<OperationRecord>> SqlReader::FindOpenOperation(
    absl::string_view machine_uid) {
  return OneRow(
      db_.Query(absl::StrCat(kOperationColumns, "WHERE machine_uid = ?1 AND finish_time IS NULL"),
                machine_uid),
      OperationOf);
}

absl::StatusOr<std::vector<OperationRecord>> SqlReader::ListOperations(
    absl::string_view machine_name, bool open_only, absl::string_view after, int limit) {
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!after.empty()) {
    DM_ASSIGN_OR_RETURN(SqlStatement row,
                        db_.Query("SELECT position FROM operations WHERE name = ?1", after));
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) {
      return common::Error(absl::StatusCode::kNotFound,
                           machine::v1::ERROR_REASON_OPERATION_NOT_FOUND,
                           absl::StrCat("no operation \"", after, "\" to go on from"));
    }
    before = row.Int(0);
  }
  absl::StatusOr<SqlStatement> row = db_.Query(
      absl::StrCat(kOperationColumns,
                   open_only && machine_name.empty() ? db_.dialect().open_operations_hint : "",
                   "WHERE position < ?1", open_only ? " AND finish_time IS NULL" : "",
                   machine_name.empty() ? " AND ?3 = ''" : " AND machine_name = ?3",
                   " ORDER BY position DESC LIMIT ?2"),
      before, static_cast<int64_t>(limit), machine_name);
  DM_RETURN_IF_ERROR(row.status());
  std::vector<OperationRecord> operations;
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row->Step());
    if (!found) return operations;
    DM_ASSIGN_OR_RETURN(operations.emplace_back(), OperationOrStub(*row));
  }
}

absl::StatusOr<std::vector<machine::v1::OperationEvent>> SqlReader::ListEvents(
    absl::string_view operation, int64_t after_sequence) {
  DM_ASSIGN_OR_RETURN(
      SqlStatement row,
      db_.Query("SELECT event FROM events WHERE sequence > ?2 AND operation = "
                "(SELECT position FROM operations WHERE name = ?1) ORDER BY sequence",
                operation, after_sequence));
  std::vector<machine::v1::OperationEvent> events;
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return events;
    DM_RETURN_IF_ERROR(
        Parse(row.Bytes(0), "an event of operation", operation, events.emplace_back()));
  }
}

absl::StatusOr<std::optional<RequestRecord>> SqlReader::FindRequest(absl::string_view caller,
                                                                    absl::string_view request_id) {
  DM_ASSIGN_OR_RETURN(SqlStatement row,
                      db_.Query("SELECT body_hash, operation FROM requests "
                                "WHERE caller = ?1 AND request_id = ?2 AND create_time > ?3",
                                caller, request_id, ToMicros(clock_.Now() - kRequestLifetime)));
  DM_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::nullopt;
  return RequestRecord{std::string(caller), std::string(request_id), std::string(row.Bytes(0)),
                       std::string(row.Bytes(1))};
}

absl::StatusOr<std::optional<std::string>> SqlReader::FindSecret(absl::string_view owner,
                                                                 absl::string_view name) {
  DM_ASSIGN_OR_RETURN(
      SqlStatement row,
      db_.Query("SELECT sealed FROM secrets WHERE owner = ?1 AND name = ?2", owner, name));
  DM_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::nullopt;
  return std::string(row.Bytes(0));
}

absl::StatusOr<std::optional<CertificateRecord>> SqlReader::FindCertificate(
    absl::string_view name) {
  DM_ASSIGN_OR_RETURN(SqlStatement row,
                      db_.Query("SELECT record FROM certificates WHERE name = ?1", name));
  DM_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::nullopt;
  CertificateRecord record;
  DM_RETURN_IF_ERROR(Parse(row.Bytes(0), "certificate", name, record));
  return record;
}

absl::StatusOr<std::vector<DriverRecord>> SqlReader::ListDrivers() {
  DM_ASSIGN_OR_RETURN(SqlStatement row,
                      db_.Query("SELECT name, record FROM drivers ORDER BY name"));
  std::vector<DriverRecord> drivers;
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return drivers;
    DM_RETURN_IF_ERROR(Parse(row.Bytes(1), "driver", row.Bytes(0), drivers.emplace_back()));
  }
}

absl::StatusOr<std::optional<TombstoneRecord>> SqlReader::FindTombstone(absl::string_view uid) {
  return OneRow(db_.Query("SELECT uid, record FROM tombstones WHERE uid = ?1", uid), TombstoneOf);
}

absl::StatusOr<std::vector<TombstoneRecord>> SqlReader::ListTombstones(absl::Time due, int limit) {
  return AllRows(db_.Query("SELECT uid, record FROM tombstones WHERE next_attempt <= ?1 "
                           "ORDER BY next_attempt LIMIT ?2",
                           ToMicros(due), static_cast<int64_t>(limit)),
                 TombstoneOf);
}

absl::StatusOr<std::optional<CredentialRecord>> SqlReader::FindCredential(absl::string_view name) {
  return OneRow(db_.Query("SELECT name, record FROM credentials WHERE name = ?1", name),
                CredentialOf);
}

absl::StatusOr<std::vector<CredentialRecord>> SqlReader::ListCredentials() {
  return AllRows(db_.Query("SELECT name, record FROM credentials ORDER BY name"), CredentialOf);
}

}  // namespace machine::orchestrator
