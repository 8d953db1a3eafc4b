// Reads and writes of one transaction of a store in an SQL database.
#ifndef SERVICES_ORCHESTRATOR_STORE_SQL_TRANSACTION_H_
#define SERVICES_ORCHESTRATOR_STORE_SQL_TRANSACTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/common/clock/clock.h"
#include "services/orchestrator/store/sql.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Microseconds since 1970, as the tables have it.
int64_t ToMicros(absl::Time time);

/// As messages have it.
google::protobuf::Timestamp ToTimestamp(absl::Time time);

/// Reads on a connection inside whose transaction the caller has begun.
class SqlReader final {
 public:
  SqlReader(SqlConnection& db, const common::Clock& clock) : db_(db), clock_(clock) {}

  absl::StatusOr<std::optional<MachineRecord>> FindMachine(absl::string_view uid);
  absl::StatusOr<std::optional<MachineRecord>> FindMachineByName(absl::string_view id);
  absl::Status ForEachMachine(absl::FunctionRef<void(MachineRecord)> visit,
                              std::vector<std::string>* bad_rows);
  absl::StatusOr<std::optional<OperationRecord>> FindOperation(absl::string_view name);
  absl::StatusOr<std::optional<OperationRecord>> FindOpenOperation(absl::string_view machine_uid);
  /// As FindOperation, but one that cannot be read is a stub: done, with the error as its result.
  absl::StatusOr<std::optional<OperationRecord>> FindOperationOrStub(absl::string_view name);
  absl::StatusOr<std::vector<OperationRecord>> ListOperations(absl::string_view machine_name,
                                                              bool open_only,
                                                              absl::string_view after, int limit);
  absl::StatusOr<std::vector<machine::v1::OperationEvent>> ListEvents(absl::string_view operation,
                                                                      int64_t after_sequence);
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(absl::string_view caller,
                                                           absl::string_view request_id);
  absl::StatusOr<std::optional<std::string>> FindSecret(absl::string_view owner,
                                                        absl::string_view name);
  absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(absl::string_view name);
  absl::StatusOr<std::vector<DriverRecord>> ListDrivers();
  absl::StatusOr<std::optional<TombstoneRecord>> FindTombstone(absl::string_view uid);
  absl::StatusOr<std::vector<TombstoneRecord>> ListTombstones(absl::Time due, int limit);
  absl::StatusOr<std::optional<CredentialRecord>> FindCredential(absl::string_view name);
  absl::StatusOr<std::vector<CredentialRecord>> ListCredentials();
  absl::StatusOr<std::optional<UserRecord>> FindUser(absl::string_view id);
  absl::StatusOr<std::vector<UserRecord>> ListUsers();
  absl::StatusOr<std::vector<machine::v1::Grant>> ListGrants();
  absl::StatusOr<std::optional<JoinTokenRecord>> FindJoinToken(absl::string_view hash);
  absl::StatusOr<std::vector<machine::v1::AuditEntry>> ListAudit(int64_t before, int limit);

 private:
  SqlConnection& db_;
  const common::Clock& clock_;
};

/// `Interface` with its reading part on a SqlReader.
template <typename Interface>
class SqlReading : public Interface {
 public:
  SqlReading(SqlConnection& db, const common::Clock& clock) : reader_(db, clock) {}

  absl::StatusOr<std::optional<MachineRecord>> FindMachine(absl::string_view uid) override {
    return reader_.FindMachine(uid);
  }
  absl::StatusOr<std::optional<MachineRecord>> FindMachineByName(absl::string_view id) override {
    return reader_.FindMachineByName(id);
  }
  absl::Status ForEachMachine(absl::FunctionRef<void(MachineRecord)> visit,
                              std::vector<std::string>* bad_rows) override {
    return reader_.ForEachMachine(visit, bad_rows);
  }
  absl::StatusOr<std::optional<OperationRecord>> FindOperation(absl::string_view name) override {
    return reader_.FindOperation(name);
  }
  absl::StatusOr<std::vector<OperationRecord>> ListOperations(absl::string_view machine_name,
                                                              bool open_only,
                                                              absl::string_view after,
                                                              int limit) override {
    return reader_.ListOperations(machine_name, open_only, after, limit);
  }
  absl::StatusOr<std::vector<machine::v1::OperationEvent>> ListEvents(
      absl::string_view operation, int64_t after_sequence) override {
    return reader_.ListEvents(operation, after_sequence);
  }
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(absl::string_view caller,
                                                           absl::string_view request_id) override {
    return reader_.FindRequest(caller, request_id);
  }
  absl::StatusOr<std::optional<std::string>> FindSecret(absl::string_view owner,
                                                        absl::string_view name) override {
    return reader_.FindSecret(owner, name);
  }
  absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(
      absl::string_view name) override {
    return reader_.FindCertificate(name);
  }
  absl::StatusOr<std::vector<DriverRecord>> ListDrivers() override { return reader_.ListDrivers(); }
  absl::StatusOr<std::optional<TombstoneRecord>> FindTombstone(absl::string_view uid) override {
    return reader_.FindTombstone(uid);
  }
  absl::StatusOr<std::vector<TombstoneRecord>> ListTombstones(absl::Time due, int limit) override {
    return reader_.ListTombstones(due, limit);
  }
  absl::StatusOr<std::optional<CredentialRecord>> FindCredential(absl::string_view name) override {
    return reader_.FindCredential(name);
  }
  absl::StatusOr<std::vector<CredentialRecord>> ListCredentials() override {
    return reader_.ListCredentials();
  }
  absl::StatusOr<std::optional<UserRecord>> FindUser(absl::string_view id) override {
    return reader_.FindUser(id);
  }
  absl::StatusOr<std::vector<UserRecord>> ListUsers() override { return reader_.ListUsers(); }
  absl::StatusOr<std::vector<machine::v1::Grant>> ListGrants() override {
    return reader_.ListGrants();
  }
  absl::StatusOr<std::optional<JoinTokenRecord>> FindJoinToken(absl::string_view hash) override {
    return reader_.FindJoinToken(hash);
  }
  absl::StatusOr<std::vector<machine::v1::AuditEntry>> ListAudit(int64_t before,
                                                                 int limit) override {
    return reader_.ListAudit(before, limit);
  }

 protected:
  SqlReader reader_;
};

/// A view for Store::Read.
class SqlView final : public SqlReading<StoreReader> {
 public:
  using SqlReading::SqlReading;
};

/// When the leases of a group of transactions begin, and how long they are.
struct SqlLease {
  /// Microseconds since 1970, by the clock that all writers of the store go by.
  int64_t now = 0;
  absl::Duration time;
};

/// One transaction inside the writer's group.
class SqlTransaction final : public SqlReading<StoreTransaction> {
 public:
  SqlTransaction(SqlConnection& db, const common::Clock& clock, SqlLease lease)
      : SqlReading(db, clock), db_(db), clock_(clock), lease_(lease) {}

  absl::Status InsertMachine(const MachineRecord& record) override;
  absl::Status UpdateMachine(MachineRecord& record) override;
  absl::Status DeleteMachine(absl::string_view uid) override;
  absl::Status BuryMachine(const TombstoneRecord& tombstone) override;
  absl::Status UpdateTombstone(const TombstoneRecord& tombstone) override;
  absl::Status DeleteTombstone(absl::string_view uid) override;
  absl::Status PutCredential(const CredentialRecord& record) override;
  absl::Status DeleteCredential(absl::string_view name) override;
  absl::Status InsertOperation(OperationRecord& record, absl::string_view owner) override;
  absl::Status UpdateOperation(const OperationRecord& record) override;
  absl::Status RequestCancel(absl::string_view name) override;
  absl::Status DeleteOperation(absl::string_view name) override;
  absl::Status AppendEvent(absl::string_view operation,
                           machine::v1::OperationEvent& event) override;
  absl::Status InsertRequest(const RequestRecord& record) override;
  absl::Status PutSecret(absl::string_view owner, absl::string_view name,
                         absl::string_view sealed) override;
  absl::Status PutCertificate(const CertificateRecord& record) override;
  absl::Status PutDriver(const DriverRecord& record) override;
  absl::Status DeleteDriver(absl::string_view name) override;
  absl::Status PutUser(const UserRecord& record) override;
  absl::Status DeleteUser(absl::string_view id) override;
  absl::Status PutGrant(const machine::v1::Grant& grant) override;
  absl::Status DeleteGrant(absl::string_view name) override;
  absl::Status PutJoinToken(const JoinTokenRecord& record) override;
  absl::Status DeleteJoinToken(absl::string_view hash) override;
  absl::Status AppendAudit(machine::v1::AuditEntry& entry) override;

  /// As Store::ClaimOperations.
  absl::StatusOr<std::vector<OperationRecord>> Claim(absl::string_view owner, int limit);
  /// Renews the leases of `owner`; adds the operations it has lost, once each, to `lost`.
  absl::Status Renew(absl::string_view owner, std::vector<std::string>& lost);
  /// Ends the leases of `owner`.
  absl::Status Release(absl::string_view owner);
  /// Removes finished operations that are older than `operation_age` or not among the newest
  /// `max_operations`, and requests that are too old, at most `limit` of each; how many.
  absl::StatusOr<int64_t> Prune(absl::Duration operation_age, int64_t max_operations, int limit);

  /// What was changed so far.
  StoreChanges& changes() { return changes_; }

 private:
  absl::StatusOr<int64_t> NextFence(absl::string_view machine_uid, int64_t epoch);
  absl::Status SetPendingOperation(absl::string_view machine_uid);
  absl::Status CloseUnreadable(const OperationRecord& stub);
  void Stamp(MachineRecord& record, int64_t revision, absl::string_view pending_operation);
  void Changed(MachineRecord record, bool removed);
  int64_t lease_end() const { return lease_.now + absl::ToInt64Microseconds(lease_.time); }

  SqlConnection& db_;
  const common::Clock& clock_;
  const SqlLease lease_;
  StoreChanges changes_;
  // uid -> index in changes_.machines.
  absl::flat_hash_map<std::string, size_t> changed_machines_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_SQL_TRANSACTION_H_
