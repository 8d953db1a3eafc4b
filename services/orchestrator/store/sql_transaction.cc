#include "services/orchestrator/store/sql_transaction.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

std::string MachineId(const MachineRecord& record) {
  return std::string(absl::StripPrefix(record.machine().name(), "machines/"));
}

// The uid's part tells a machine from a later one of the same name.
std::string Etag(absl::string_view uid, int64_t revision) {
  return absl::StrCat(uid.substr(0, 8), "-", revision);
}

absl::Status NoMachine(absl::string_view uid) {
  return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_MACHINE_NOT_FOUND,
                       absl::StrCat("no machine with uid \"", uid, "\""),
                       {{"machine_uid", std::string(uid)}});
}

absl::Status NoOperation(absl::string_view name) {
  return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_OPERATION_NOT_FOUND,
                       absl::StrCat("no operation \"", name, "\""),
                       {{"operation", std::string(name)}});
}

}  // namespace

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(
      static_cast<int32_t>((time - absl::FromUnixSeconds(seconds)) / absl::Nanoseconds(1)));
  return timestamp;
}

void SqlTransaction::Stamp(MachineRecord& record, int64_t revision,
                           absl::string_view pending_operation) {
  machine::v1::Machine& machine = *record.mutable_machine();
  machine.set_etag(Etag(machine.uid(), revision));
  machine.set_pending_operation(std::string(pending_operation));
  *machine.mutable_update_time() = ToTimestamp(clock_.Now());
}

void SqlTransaction::Changed(MachineRecord record, bool removed) {
  const auto [known, is_new] =
      changed_machines_.try_emplace(record.machine().uid(), changes_.machines.size());
  if (is_new) changes_.machines.emplace_back();
  changes_.machines[known->second] = {std::move(record), removed};
}

absl::Status SqlTransaction::InsertMachine(const MachineRecord& record) {
  const std::string id = MachineId(record);
  DM_ASSIGN_OR_RETURN(const std::optional<MachineRecord> existing, reader_.FindMachineByName(id));
  if (existing.has_value()) {
    return common::Error(absl::StatusCode::kAlreadyExists, machine::v1::ERROR_REASON_MACHINE_EXISTS,
                         absl::StrCat("Docker machine \"", id, "\" already exists"),
                         {{"machine", id}, {"operation", existing->machine().pending_operation()}});
  }
  MachineRecord stored = record;
  Stamp(stored, /*revision=*/1, /*pending_operation=*/"");
  if (!stored.machine().has_create_time()) {
    *stored.mutable_machine()->mutable_create_time() = stored.machine().update_time();
  }
  DM_RETURN_IF_ERROR(db_.Change(
      "INSERT INTO machines (uid, name, revision, fence, record) VALUES (?1, ?2, 1, 0, ?3)",
      absl::string_view(stored.machine().uid()), absl::string_view(id),
      Blob{stored.SerializeAsString()}));
  Changed(std::move(stored), /*removed=*/false);
  return absl::OkStatus();
}

absl::Status SqlTransaction::UpdateMachine(MachineRecord& record) {
  const absl::string_view uid = record.machine().uid();
  int64_t revision = 0;
  {
    DM_ASSIGN_OR_RETURN(SqlStatement row,
                        db_.Query("SELECT revision FROM machines WHERE uid = ?1", uid));
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return NoMachine(uid);
    revision = row.Int(0) + 1;
  }
  // Which operation is pending is the store's knowledge: a caller's copy may be from before it.
  std::string pending;
  {
    DM_ASSIGN_OR_RETURN(SqlStatement row,
                        db_.Query("SELECT name FROM operations "
                                  "WHERE machine_uid = ?1 AND finish_time IS NULL",
                                  uid));
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (found) pending = std::string(row.Bytes(0));
  }
  Stamp(record, revision, pending);
  DM_RETURN_IF_ERROR(db_.Change("UPDATE machines SET revision = ?2, record = ?3 WHERE uid = ?1",
                                uid, revision, Blob{record.SerializeAsString()}));
  Changed(record, /*removed=*/false);
  return absl::OkStatus();
}

absl::Status SqlTransaction::DeleteMachine(absl::string_view uid) {
  DM_ASSIGN_OR_RETURN(std::optional<MachineRecord> record, reader_.FindMachine(uid));
  if (!record.has_value()) return absl::OkStatus();
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM secrets WHERE owner = ?1", uid));
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM machines WHERE uid = ?1", uid));
  Changed(*std::move(record), /*removed=*/true);
  return absl::OkStatus();
}

absl::Status SqlTransaction::BuryMachine(const TombstoneRecord& tombstone) {
  const absl::string_view uid = tombstone.machine().machine().uid();
  DM_ASSIGN_OR_RETURN(std::optional<MachineRecord> record, reader_.FindMachine(uid));
  if (!record.has_value()) return NoMachine(uid);
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM machines WHERE uid = ?1", uid));
  DM_RETURN_IF_ERROR(
      db_.Change("INSERT INTO tombstones (uid, next_attempt, record) VALUES (?1, ?2, ?3)", uid,
                 tombstone.next_attempt_us(), Blob{tombstone.SerializeAsString()}));
  Changed(*std::move(record), /*removed=*/true);
  return absl::OkStatus();
}

absl::Status SqlTransaction::UpdateTombstone(const TombstoneRecord& tombstone) {
  const absl::string_view uid = tombstone.machine().machine().uid();
  DM_RETURN_IF_ERROR(
      db_.Change("UPDATE tombstones SET next_attempt = ?2, record = ?3 WHERE uid = ?1", uid,
                 tombstone.next_attempt_us(), Blob{tombstone.SerializeAsString()}));
  return db_.changed_rows() > 0 ? absl::OkStatus() : NoMachine(uid);
}

absl::Status SqlTransaction::DeleteTombstone(absl::string_view uid) {
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM tombstones WHERE uid = ?1", uid));
  // A machine that is there has its secrets still.
  if (db_.changed_rows() == 0) return absl::OkStatus();
  return db_.Change("DELETE FROM secrets WHERE owner = ?1", uid);
}

absl::Status SqlTransaction::PutCredential(const CredentialRecord& record) {
  return db_.Change(
      "INSERT INTO credentials (name, record) VALUES (?1, ?2) "
      "ON CONFLICT (name) DO UPDATE SET record = excluded.record",
      absl::string_view(record.credential().name()), Blob{record.SerializeAsString()});
}

absl::Status SqlTransaction::DeleteCredential(absl::string_view name) {
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM credentials WHERE name = ?1", name));
  if (db_.changed_rows() == 0) return absl::OkStatus();
  return db_.Change("DELETE FROM secrets WHERE owner = ?1", name);
}

absl::Status SqlTransaction::SetPendingOperation(absl::string_view machine_uid) {
  DM_ASSIGN_OR_RETURN(std::optional<MachineRecord> record, reader_.FindMachine(machine_uid));
  // A delete closes its operation when the machine is gone.
  return record.has_value() ? UpdateMachine(*record) : absl::OkStatus();
}

absl::StatusOr<int64_t> SqlTransaction::NextFence(absl::string_view machine_uid, int64_t epoch) {
  DM_ASSIGN_OR_RETURN(
      SqlStatement row,
      db_.Query("UPDATE machines SET fence = CASE WHEN fence > ?2 THEN fence ELSE ?2 END + 1 "
                "WHERE uid = ?1 RETURNING fence",
                machine_uid, epoch));
  DM_ASSIGN_OR_RETURN(const bool found, row.Step());
  return found ? row.Int(0) : epoch + 1;
}

absl::Status SqlTransaction::InsertOperation(OperationRecord& record, absl::string_view owner) {
  DM_ASSIGN_OR_RETURN(const std::optional<MachineRecord> machine,
                      reader_.FindMachine(record.machine_uid()));
  if (!machine.has_value()) return NoMachine(record.machine_uid());
  DM_ASSIGN_OR_RETURN(const std::optional<OperationRecord> open,
                      reader_.FindOpenOperation(record.machine_uid()));
  if (open.has_value()) {
    return common::Error(
        absl::StatusCode::kAborted, machine::v1::ERROR_REASON_OPERATION_IN_PROGRESS,
        absl::StrCat("machine \"", MachineId(*machine), "\" has another operation under way: ",
                     open->metadata().verb(), " (", open->name(), ")"),
        {{"operation", open->name()}, {"verb", open->metadata().verb()}});
  }
  DM_ASSIGN_OR_RETURN(const int64_t epoch, NextFence(record.machine_uid(), /*epoch=*/0));
  record.set_epoch(epoch);
  DM_RETURN_IF_ERROR(db_.Change(
      "INSERT INTO operations (name, machine_uid, machine_name, epoch, owner, lease_until, record) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
      absl::string_view(record.name()), absl::string_view(record.machine_uid()),
      absl::string_view(record.machine_name()), epoch, owner, lease_end(),
      Blob{record.SerializeAsString()}));
  return SetPendingOperation(record.machine_uid());
}

absl::Status SqlTransaction::UpdateOperation(const OperationRecord& record) {
  const bool done = record.result().done();
  // A closed operation has no owner, so a late write to it also is one without a lease.
  DM_RETURN_IF_ERROR(
      db_.Change("UPDATE operations SET record = ?3, "
                 "finish_time = CASE WHEN ?4 = 1 THEN ?5 END, "
                 "owner = CASE WHEN ?4 = 1 THEN '' ELSE owner END "
                 "WHERE name = ?1 AND epoch = ?2 AND finish_time IS NULL",
                 absl::string_view(record.name()), record.epoch(), Blob{record.SerializeAsString()},
                 static_cast<int64_t>(done), ToMicros(clock_.Now())));
  if (db_.changed_rows() == 0) {
    DM_ASSIGN_OR_RETURN(const std::optional<OperationRecord> stored,
                        reader_.FindOperation(record.name()));
    if (!stored.has_value()) return NoOperation(record.name());
    return common::Error(absl::StatusCode::kAborted, machine::v1::ERROR_REASON_LEASE_LOST,
                         absl::StrCat("another worker owns ", record.name(), " (epoch ",
                                      stored->epoch(), ", not ", record.epoch(), ")"),
                         {{"operation", record.name()}});
  }
  return done ? SetPendingOperation(record.machine_uid()) : absl::OkStatus();
}

absl::Status SqlTransaction::RequestCancel(absl::string_view name) {
  DM_RETURN_IF_ERROR(db_.Change(
      "UPDATE operations SET cancel_requested = 1 WHERE name = ?1 AND finish_time IS NULL", name));
  if (db_.changed_rows() > 0) {
    changes_.cancels.emplace_back(name);
    return absl::OkStatus();
  }
  DM_ASSIGN_OR_RETURN(const std::optional<OperationRecord> finished, reader_.FindOperation(name));
  return finished.has_value() ? absl::OkStatus() : NoOperation(name);
}

absl::Status SqlTransaction::DeleteOperation(absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const std::optional<OperationRecord> record, reader_.FindOperation(name));
  if (!record.has_value()) return NoOperation(name);
  DM_RETURN_IF_ERROR(
      db_.Change("DELETE FROM operations WHERE name = ?1 AND finish_time IS NOT NULL", name));
  if (db_.changed_rows() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(name, " is not done: cancel it first"));
}

absl::Status SqlTransaction::AppendEvent(absl::string_view operation,
                                         machine::v1::OperationEvent& event) {
  int64_t position = 0;
  {
    DM_ASSIGN_OR_RETURN(SqlStatement row, db_.Query(db_.dialect().next_event, operation));
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return NoOperation(operation);
    position = row.Int(0);
    event.set_sequence(row.Int(1));
  }
  *event.mutable_time() = ToTimestamp(clock_.Now());
  DM_RETURN_IF_ERROR(
      db_.Change("INSERT INTO events (operation, sequence, event) VALUES (?1, ?2, ?3)", position,
                 event.sequence(), Blob{event.SerializeAsString()}));
  changes_.events.push_back({std::string(operation), event});
  return absl::OkStatus();
}

absl::Status SqlTransaction::InsertRequest(const RequestRecord& record) {
  const absl::Time now = clock_.Now();
  DM_RETURN_IF_ERROR(
      db_.Change("INSERT INTO requests (caller, request_id, body_hash, operation, create_time) "
                 "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (caller, request_id) DO UPDATE SET "
                 "body_hash = excluded.body_hash, "
                 "operation = excluded.operation, create_time = excluded.create_time "
                 "WHERE requests.create_time <= ?6",
                 absl::string_view(record.caller), absl::string_view(record.request_id),
                 Blob{record.body_hash}, absl::string_view(record.operation), ToMicros(now),
                 ToMicros(now - kRequestLifetime)));
  if (db_.changed_rows() > 0) return absl::OkStatus();
  return common::Error(absl::StatusCode::kInvalidArgument,
                       machine::v1::ERROR_REASON_REQUEST_ID_REUSED,
                       absl::StrCat("request_id \"", record.request_id, "\" was used before"),
                       {{"request_id", record.request_id}});
}

absl::Status SqlTransaction::PutSecret(absl::string_view owner, absl::string_view name,
                                       absl::string_view sealed) {
  return db_.Change(
      "INSERT INTO secrets (owner, name, sealed) VALUES (?1, ?2, ?3) "
      "ON CONFLICT (owner, name) DO UPDATE SET sealed = excluded.sealed",
      owner, name, Blob{sealed});
}

absl::Status SqlTransaction::PutCertificate(const CertificateRecord& record) {
  return db_.Change(
      "INSERT INTO certificates (name, record) VALUES (?1, ?2) "
      "ON CONFLICT (name) DO UPDATE SET record = excluded.record",
      absl::string_view(record.name()), Blob{record.SerializeAsString()});
}

absl::Status SqlTransaction::PutDriver(const DriverRecord& record) {
  changes_.drivers.push_back(record.name());
  return db_.Change(
      "INSERT INTO drivers (name, record) VALUES (?1, ?2) "
      "ON CONFLICT (name) DO UPDATE SET record = excluded.record",
      absl::string_view(record.name()), Blob{record.SerializeAsString()});
}

absl::Status SqlTransaction::DeleteDriver(absl::string_view name) {
  changes_.drivers.emplace_back(name);
  return db_.Change("DELETE FROM drivers WHERE name = ?1", name);
}

absl::StatusOr<std::vector<OperationRecord>> SqlTransaction::Claim(absl::string_view owner,
                                                                   int limit) {
  std::vector<std::string> names;
  {
    DM_ASSIGN_OR_RETURN(
        SqlStatement row,
        db_.Query(absl::StrCat("SELECT name FROM operations ", db_.dialect().open_operations_hint,
                               "WHERE finish_time IS NULL AND ", db_.dialect().claimable,
                               " ORDER BY position LIMIT ?3", db_.dialect().skip_locked),
                  owner, lease_.now, static_cast<int64_t>(limit)));
    for (;;) {
      DM_ASSIGN_OR_RETURN(const bool found, row.Step());
      if (!found) break;
      names.emplace_back(row.Bytes(0));
    }
  }
  std::vector<OperationRecord> claimed;
  for (const std::string& name : names) {
    DM_ASSIGN_OR_RETURN(const auto stored, reader_.FindOperationOrStub(name));
    OperationRecord record = *stored;
    if (record.result().done()) {
      DM_RETURN_IF_ERROR(CloseUnreadable(record));
      claimed.push_back(std::move(record));
      continue;
    }
    DM_ASSIGN_OR_RETURN(const int64_t epoch, NextFence(record.machine_uid(), record.epoch()));
    DM_RETURN_IF_ERROR(
        db_.Change("UPDATE operations SET epoch = ?2, taken_from = owner, owner = ?3, "
                   "lease_until = ?4 WHERE name = ?1",
                   absl::string_view(name), epoch, owner, lease_end()));
    record.set_epoch(epoch);
    claimed.push_back(std::move(record));
  }
  return claimed;
}

// One damaged row must not keep the others, or its machine, from being gone on with.
absl::Status SqlTransaction::CloseUnreadable(const OperationRecord& stub) {
  DM_RETURN_IF_ERROR(
      db_.Change("UPDATE operations SET finish_time = ?2, owner = '', taken_from = '' "
                 "WHERE name = ?1",
                 absl::string_view(stub.name()), ToMicros(clock_.Now())));
  const absl::StatusOr<std::optional<MachineRecord>> machine =
      reader_.FindMachine(stub.machine_uid());
  if (absl::IsDataLoss(machine.status())) return absl::OkStatus();
  DM_RETURN_IF_ERROR(machine.status());
  if (!machine->has_value()) return absl::OkStatus();
  MachineRecord record = **machine;
  record.mutable_machine()->set_state(machine::v1::MACHINE_STATE_ERROR);
  *record.mutable_machine()->mutable_last_error() = stub.result().error();
  return UpdateMachine(record);
}

absl::Status SqlTransaction::Renew(absl::string_view owner, std::vector<std::string>& lost) {
  DM_RETURN_IF_ERROR(
      db_.Change(absl::StrCat("UPDATE operations ", db_.dialect().open_operations_hint,
                              "SET lease_until = ?2 WHERE finish_time IS NULL AND owner = ?1"),
                 owner, lease_end()));
  DM_ASSIGN_OR_RETURN(
      SqlStatement row,
      db_.Query(absl::StrCat("UPDATE operations ", db_.dialect().open_operations_hint,
                             "SET taken_from = '' WHERE finish_time IS NULL "
                             "AND taken_from = ?1 RETURNING name"),
                owner));
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return absl::OkStatus();
    lost.emplace_back(row.Bytes(0));
  }
}

absl::Status SqlTransaction::Release(absl::string_view owner) {
  return db_.Change(absl::StrCat("UPDATE operations ", db_.dialect().open_operations_hint,
                                 "SET lease_until = 0 WHERE finish_time IS NULL AND owner = ?1"),
                    owner);
}

absl::StatusOr<int64_t> SqlTransaction::Prune(absl::Duration operation_age, int64_t max_operations,
                                              int limit) {
  const absl::Time now = clock_.Now();
  DM_RETURN_IF_ERROR(
      db_.Change("DELETE FROM operations WHERE position IN (SELECT position FROM operations "
                 "WHERE finish_time < ?1 ORDER BY finish_time LIMIT ?2)",
                 ToMicros(now - operation_age), static_cast<int64_t>(limit)));
  int64_t operations = db_.changed_rows();
  // A walk along the index, of 10 ms where there are as many as may be.
  DM_RETURN_IF_ERROR(
      db_.Change("DELETE FROM operations WHERE position IN (SELECT position FROM operations "
                 "WHERE finish_time IS NOT NULL ORDER BY finish_time DESC LIMIT ?2 OFFSET ?1)",
                 max_operations, static_cast<int64_t>(limit)));
  operations = std::max(operations, db_.changed_rows());
  DM_RETURN_IF_ERROR(
      db_.Change("DELETE FROM requests WHERE (caller, request_id) IN (SELECT caller, request_id "
                 "FROM requests WHERE create_time <= ?1 ORDER BY create_time LIMIT ?2)",
                 ToMicros(now - kRequestLifetime), static_cast<int64_t>(limit)));
  return std::max(operations, db_.changed_rows());
}

}  // namespace machine::orchestrator
