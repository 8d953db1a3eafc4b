// Users, grants, join tokens and the audit log in an SQL database.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/audit_chain.h"
#include "services/orchestrator/store/sql_transaction.h"

namespace machine::orchestrator {
namespace {

absl::string_view UserId(absl::string_view name) { return absl::StripPrefix(name, "users/"); }

// The record in column 1 of the row that column 0 names.
template <typename Record>
absl::StatusOr<Record> RecordOf(const SqlStatement& row, absl::string_view kind) {
  Record record;
  const absl::string_view bytes = row.Bytes(1);
  if (record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return record;
  return common::Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
                       absl::StrCat("the store's record of ", kind, " \"", row.Bytes(0),
                                    "\" cannot be read: restore the store from a backup"),
                       {{"row", std::string(row.Bytes(0))}});
}

template <typename Record>
absl::StatusOr<std::vector<Record>> RecordsOf(absl::StatusOr<SqlStatement> row,
                                              absl::string_view kind) {
  DM_RETURN_IF_ERROR(row.status());
  std::vector<Record> records;
  for (;;) {
    DM_ASSIGN_OR_RETURN(const bool found, row->Step());
    if (!found) return records;
    DM_ASSIGN_OR_RETURN(records.emplace_back(), RecordOf<Record>(*row, kind));
  }
}

}  // namespace

absl::StatusOr<std::optional<UserRecord>> SqlReader::FindUser(absl::string_view id) {
  DM_ASSIGN_OR_RETURN(
      std::vector<UserRecord> records,
      RecordsOf<UserRecord>(db_.Query("SELECT id, record FROM users WHERE id = ?1", id), "user"));
  if (records.empty()) return std::nullopt;
  return std::move(records[0]);
}

absl::StatusOr<std::vector<UserRecord>> SqlReader::ListUsers() {
  return RecordsOf<UserRecord>(db_.Query("SELECT id, record FROM users ORDER BY id"), "user");
}

absl::StatusOr<std::vector<machine::v1::Grant>> SqlReader::ListGrants() {
  return RecordsOf<machine::v1::Grant>(
      db_.Query("SELECT name, record FROM grants ORDER BY create_time, name"), "grant");
}

absl::StatusOr<std::optional<JoinTokenRecord>> SqlReader::FindJoinToken(absl::string_view hash) {
  DM_ASSIGN_OR_RETURN(
      SqlStatement row,
      db_.Query("SELECT user_id, expire_time FROM join_tokens WHERE hash = ?1", hash));
  DM_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::nullopt;
  return JoinTokenRecord{.hash = std::string(hash),
                         .user_id = std::string(row.Bytes(0)),
                         .expire_time = absl::FromUnixMicros(row.Int(1))};
}

absl::StatusOr<std::vector<machine::v1::AuditEntry>> SqlReader::ListAudit(int64_t before,
                                                                          int limit) {
  return RecordsOf<machine::v1::AuditEntry>(
      db_.Query("SELECT sequence, entry FROM audit WHERE sequence < ?1 "
                "ORDER BY sequence DESC LIMIT ?2",
                before, static_cast<int64_t>(limit)),
      "audit entry");
}

absl::Status SqlTransaction::PutUser(const UserRecord& record) {
  changes_.access = true;
  return db_.Change(
      "INSERT INTO users (id, record) VALUES (?1, ?2) "
      "ON CONFLICT (id) DO UPDATE SET record = excluded.record",
      UserId(record.user().name()), Blob{record.SerializeAsString()});
}

absl::Status SqlTransaction::DeleteUser(absl::string_view id) {
  changes_.access = true;
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM grants WHERE user_id = ?1", id));
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM join_tokens WHERE user_id = ?1", id));
  return db_.Change("DELETE FROM users WHERE id = ?1", id);
}

absl::Status SqlTransaction::PutGrant(const machine::v1::Grant& grant) {
  changes_.access = true;
  return db_.Change(
      "INSERT INTO grants (name, user_id, create_time, record) VALUES (?1, ?2, ?3, ?4)",
      absl::string_view(grant.name()), UserId(grant.user()),
      grant.create_time().seconds() * 1'000'000 + grant.create_time().nanos() / 1000,
      Blob{grant.SerializeAsString()});
}

absl::Status SqlTransaction::DeleteGrant(absl::string_view name) {
  DM_RETURN_IF_ERROR(db_.Change("DELETE FROM grants WHERE name = ?1", name));
  if (db_.changed_rows() == 0) {
    return common::Error(absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_GRANT_NOT_FOUND,
                         absl::StrCat("no grant \"", name, "\""), {{"grant", std::string(name)}});
  }
  changes_.access = true;
  return absl::OkStatus();
}

absl::Status SqlTransaction::PutJoinToken(const JoinTokenRecord& record) {
  DM_RETURN_IF_ERROR(
      db_.Change("DELETE FROM join_tokens WHERE expire_time <= ?1", ToMicros(clock_.Now())));
  return db_.Change("INSERT INTO join_tokens (hash, user_id, expire_time) VALUES (?1, ?2, ?3)",
                    absl::string_view(record.hash), absl::string_view(record.user_id),
                    ToMicros(record.expire_time));
}

absl::Status SqlTransaction::DeleteJoinToken(absl::string_view hash) {
  return db_.Change("DELETE FROM join_tokens WHERE hash = ?1", hash);
}

absl::Status SqlTransaction::AppendAudit(machine::v1::AuditEntry& entry) {
  DM_ASSIGN_OR_RETURN(
      const std::vector<machine::v1::AuditEntry> last,
      RecordsOf<machine::v1::AuditEntry>(
          db_.Query("SELECT sequence, entry FROM audit ORDER BY sequence DESC LIMIT 1"),
          "audit entry"));
  entry.set_sequence(last.empty() ? 1 : last[0].sequence() + 1);
  *entry.mutable_time() = ToTimestamp(clock_.Now());
  entry.set_hash(AuditHash(last.empty() ? "" : last[0].hash(), entry));
  return db_.Change("INSERT INTO audit (sequence, entry) VALUES (?1, ?2)", entry.sequence(),
                    Blob{entry.SerializeAsString()});
}

}  // namespace machine::orchestrator
