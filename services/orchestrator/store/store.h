// What the orchestrator remembers. One interface, one contract test, two implementations.
//
// Writes go through transactions that are committed in groups: many operations share one sync of
// the disk. A transaction is a closure that the store runs on its own thread, so it must only read
// and write through the StoreTransaction it is given.
#ifndef SERVICES_ORCHESTRATOR_STORE_STORE_H_
#define SERVICES_ORCHESTRATOR_STORE_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/longrunning/operations.pb.h"
#include "machine/v1/access.pb.h"
#include "machine/v1/operations.pb.h"
#include "services/orchestrator/store/records.pb.h"

namespace machine::orchestrator {

using ::orchestrator::store::CertificateRecord;
using ::orchestrator::store::CredentialRecord;
using ::orchestrator::store::DriverRecord;
using ::orchestrator::store::MachineRecord;
using ::orchestrator::store::OperationRecord;
using ::orchestrator::store::TombstoneRecord;
using ::orchestrator::store::UserRecord;

/// A mutation that was asked for with a request_id.
struct RequestRecord {
  std::string caller;
  std::string request_id;
  /// SHA-256 of the request.
  std::string body_hash;
  /// "operations/{id}"; empty for a mutation that was done at once.
  std::string operation;
};

/// A token with which a client may join, once.
struct JoinTokenRecord {
  /// SHA-256 of its secret part, as hexadecimal digits: the token itself is not stored.
  std::string hash;
  /// Id of the user it is for.
  std::string user_id;
  absl::Time expire_time;
};

/// How long a request_id is remembered.
inline constexpr absl::Duration kRequestLifetime = absl::Hours(7 * 24);

/// Reads inside one consistent view. "Not there" is nullopt, never an error.
/// Errors: DATA_LOSS STORE_CORRUPT naming the row.
class StoreReader {
 public:
  virtual ~StoreReader() = default;

  virtual absl::StatusOr<std::optional<MachineRecord>> FindMachine(absl::string_view uid) = 0;
  /// `id` without "machines/".
  virtual absl::StatusOr<std::optional<MachineRecord>> FindMachineByName(absl::string_view id) = 0;
  /// Calls `visit` for every machine. A row that cannot be read is reported in `bad_rows` as
  /// "NAME: reason", never fatal; what is visited then has name, uid, state ERROR and the error.
  virtual absl::Status ForEachMachine(absl::FunctionRef<void(MachineRecord)> visit,
                                      std::vector<std::string>* bad_rows) = 0;

  virtual absl::StatusOr<std::optional<OperationRecord>> FindOperation(absl::string_view name) = 0;
  /// Newest first; at most `limit`, starting after the operation `after` (empty: from the newest).
  /// `machine_name` and `open_only` narrow the list; an empty name means all. One that cannot be
  /// read is listed as done, with the error as its result.
  /// Errors: NOT_FOUND OPERATION_NOT_FOUND when `after` is no longer there.
  virtual absl::StatusOr<std::vector<OperationRecord>> ListOperations(
      absl::string_view machine_name, bool open_only, absl::string_view after, int limit) = 0;
  /// Events of an operation with a sequence greater than `after_sequence`, in order.
  virtual absl::StatusOr<std::vector<machine::v1::OperationEvent>> ListEvents(
      absl::string_view operation, int64_t after_sequence) = 0;

  /// Requests older than kRequestLifetime are not found.
  virtual absl::StatusOr<std::optional<RequestRecord>> FindRequest(
      absl::string_view caller, absl::string_view request_id) = 0;
  /// `owner` is a machine's uid; `name` the option or "ssh_private_key". The value is sealed.
  virtual absl::StatusOr<std::optional<std::string>> FindSecret(absl::string_view owner,
                                                                absl::string_view name) = 0;
  virtual absl::StatusOr<std::optional<CertificateRecord>> FindCertificate(
      absl::string_view name) = 0;
  virtual absl::StatusOr<std::vector<DriverRecord>> ListDrivers() = 0;

  virtual absl::StatusOr<std::optional<TombstoneRecord>> FindTombstone(absl::string_view uid) = 0;
  /// Those to be tried at `due` or before, the ones that have waited longest first.
  virtual absl::StatusOr<std::vector<TombstoneRecord>> ListTombstones(absl::Time due,
                                                                      int limit) = 0;
  /// `name` is "credentials/{id}".
  virtual absl::StatusOr<std::optional<CredentialRecord>> FindCredential(
      absl::string_view name) = 0;
  /// By name.
  virtual absl::StatusOr<std::vector<CredentialRecord>> ListCredentials() = 0;

  /// By id, without "users/".
  virtual absl::StatusOr<std::optional<UserRecord>> FindUser(absl::string_view id) = 0;
  /// In the order of their ids.
  virtual absl::StatusOr<std::vector<UserRecord>> ListUsers() = 0;
  /// In the order they were made.
  virtual absl::StatusOr<std::vector<machine::v1::Grant>> ListGrants() = 0;
  /// Also one that has ended.
  virtual absl::StatusOr<std::optional<JoinTokenRecord>> FindJoinToken(absl::string_view hash) = 0;
  /// Newest first; at most `limit` with a sequence below `before`.
  virtual absl::StatusOr<std::vector<machine::v1::AuditEntry>> ListAudit(int64_t before,
                                                                         int limit) = 0;
};

/// Reads and writes inside one transaction; sees its own writes. When the closure returns an error,
/// nothing of it is kept, and other transactions of the same group are not touched.
class StoreTransaction : public StoreReader {
 public:
  /// Sets etag, update_time and, where it is not set, create_time in the row.
  /// Errors: ALREADY_EXISTS MACHINE_EXISTS, with the machine's open operation (if any) as
  /// metadata "operation".
  virtual absl::Status InsertMachine(const MachineRecord& record) = 0;
  /// Replaces the row of record.machine().uid(); sets etag, update_time and pending_operation (that
  /// the store knows best) in `record`.
  /// Errors: NOT_FOUND MACHINE_NOT_FOUND.
  virtual absl::Status UpdateMachine(MachineRecord& record) = 0;
  /// Removes the row and the machine's secrets; OK when it is not there.
  virtual absl::Status DeleteMachine(absl::string_view uid) = 0;

  /// Removes the row as DeleteMachine does, but keeps the secrets for `tombstone`, which takes its
  /// place. Errors: NOT_FOUND MACHINE_NOT_FOUND.
  virtual absl::Status BuryMachine(const TombstoneRecord& tombstone) = 0;
  /// Replaces a tombstone. Errors: NOT_FOUND when it is gone.
  virtual absl::Status UpdateTombstone(const TombstoneRecord& tombstone) = 0;
  /// Removes the tombstone and the secrets that it kept; OK when it is not there.
  virtual absl::Status DeleteTombstone(absl::string_view uid) = 0;

  /// Inserts or replaces.
  virtual absl::Status PutCredential(const CredentialRecord& record) = 0;
  /// Removes the row and its secrets; OK when it is not there.
  virtual absl::Status DeleteCredential(absl::string_view name) = 0;

  /// Inserts an open operation owned by `owner` with a fresh epoch, raised on the machine's row and
  /// set in `record`. Sets machine.pending_operation too (as UpdateMachine does).
  /// Errors: ABORTED OPERATION_IN_PROGRESS with metadata "operation" and "verb" when the machine
  /// has an open one.
  virtual absl::Status InsertOperation(OperationRecord& record, absl::string_view owner) = 0;
  /// Replaces an operation. When record.result().done(), it is closed and the machine's
  /// pending_operation cleared. Errors: ABORTED LEASE_LOST when the row's epoch is not
  /// record.epoch(), or it is closed: another worker owns it and this one must touch nothing more.
  /// NOT_FOUND OPERATION_NOT_FOUND. A cancel that was requested stays so, whatever `record` says.
  virtual absl::Status UpdateOperation(const OperationRecord& record) = 0;
  /// Sets metadata.cancel_requested whatever the epoch is; OK and nothing when it is done.
  /// Errors: NOT_FOUND OPERATION_NOT_FOUND.
  virtual absl::Status RequestCancel(absl::string_view name) = 0;
  /// Removes a finished operation with its events. Errors: NOT_FOUND; FAILED_PRECONDITION when
  /// open.
  virtual absl::Status DeleteOperation(absl::string_view name) = 0;
  /// Appends an event: sets sequence (from 1, without gaps) and time in `event`.
  /// Errors: NOT_FOUND OPERATION_NOT_FOUND.
  virtual absl::Status AppendEvent(absl::string_view operation,
                                   machine::v1::OperationEvent& event) = 0;

  /// Errors: INVALID_ARGUMENT REQUEST_ID_REUSED when FindRequest would find one.
  virtual absl::Status InsertRequest(const RequestRecord& record) = 0;
  virtual absl::Status PutSecret(absl::string_view owner, absl::string_view name,
                                 absl::string_view sealed) = 0;
  virtual absl::Status PutCertificate(const CertificateRecord& record) = 0;
  virtual absl::Status PutDriver(const DriverRecord& record) = 0;
  virtual absl::Status DeleteDriver(absl::string_view name) = 0;

  /// Inserts or replaces the user `record.user().name()`.
  virtual absl::Status PutUser(const UserRecord& record) = 0;
  /// Removes the user with its grants and join tokens; OK when it is not there.
  virtual absl::Status DeleteUser(absl::string_view id) = 0;
  virtual absl::Status PutGrant(const machine::v1::Grant& grant) = 0;
  /// `name` is "grants/{id}". Errors: NOT_FOUND GRANT_NOT_FOUND.
  virtual absl::Status DeleteGrant(absl::string_view name) = 0;
  /// Also forgets the tokens that have ended.
  virtual absl::Status PutJoinToken(const JoinTokenRecord& record) = 0;
  /// OK when it is not there.
  virtual absl::Status DeleteJoinToken(absl::string_view hash) = 0;
  /// Appends to the audit log: sets sequence, time and hash (see audit_chain.h) in `entry`.
  virtual absl::Status AppendAudit(machine::v1::AuditEntry& entry) = 0;
};

/// What one committed transaction changed.
struct StoreChanges {
  struct MachineChange {
    /// The record after the change; for a removed machine, the last one.
    MachineRecord record;
    bool removed = false;
  };
  struct OperationChange {
    std::string operation;
    machine::v1::OperationEvent event;
  };
  std::vector<MachineChange> machines;
  /// Events in the order they were appended.
  std::vector<OperationChange> events;
  /// Names of operations that were asked to cancel.
  std::vector<std::string> cancels;
  /// Names of registered drivers that were added, replaced or removed.
  std::vector<std::string> drivers;
  /// Users or grants were changed.
  bool access = false;
  /// This process was away from a shared store for so long that changes of others are no longer
  /// known: what it has in memory is not to be trusted.
  bool missed = false;
  /// When a process on the store began to ask the providers of all machines, which it has finished
  /// by now; microseconds since 1970, 0 when this is not told.
  int64_t observed_us = 0;

  bool empty() const {
    return machines.empty() && events.empty() && cancels.empty() && drivers.empty() && !missed &&
           observed_us == 0 && !access;
  }
};

/// How operations are kept from two workers of a shared store.
struct LeaseTimes {
  /// How long an owner that does not renew keeps its operations, by the store's clock.
  absl::Duration lease = absl::Seconds(30);
  /// When to renew.
  absl::Duration renew = absl::Seconds(10);
  /// After so long without a renewal, by its own steady clock, an owner stops its work: before
  /// anybody else can begin. Infinite where nobody else can.
  absl::Duration give_up = absl::InfiniteDuration();
  /// When to look for operations that others have lost. Infinite where there are no others.
  absl::Duration poll = absl::InfiniteDuration();
};

/// Durable, transactional, shared by all threads. Thread-safe.
class Store {
 public:
  using Work = absl::AnyInvocable<absl::Status(StoreTransaction&)>;
  using Done = absl::AnyInvocable<void(absl::Status)>;
  using Listener = absl::AnyInvocable<void(const StoreChanges&)>;

  virtual ~Store() = default;

  /// Runs `work` in a transaction, then `done` with its status once it is durable (or has failed).
  /// Never blocks. `done` runs on the store's thread, so it must hand on anything slow.
  /// Transactions of one caller run in the order of the calls.
  virtual void Write(Work work, Done done) = 0;

  /// As Write, and waits. Never call it from a reaction or from a `done`.
  absl::Status WriteAndWait(Work work);

  /// Runs `read` on a consistent view, on the calling thread. May touch the disk: not in a
  /// reaction.
  virtual absl::Status Read(absl::FunctionRef<absl::Status(StoreReader&)> read) = 0;

  /// Called on the store's thread after each commit, before its `done`, in commit order; of a
  /// shared store also after the commits of other processes, each once and in the same order for
  /// all. Set once, before the first Write that changes what it tells of.
  virtual void SetListener(Listener listener) = 0;

  /// Takes over open operations that nobody owns any more (their lease has run out, or their owner
  /// can no longer exist), at most `limit`, each with a fresh epoch for `owner`. One that cannot be
  /// read is closed instead, its machine set to ERROR; it is among them, done with the error.
  virtual absl::StatusOr<std::vector<OperationRecord>> ClaimOperations(absl::string_view owner,
                                                                       int limit) = 0;
  /// Keeps the leases of `owner` for another lease time. ABORTED LEASE_LOST, once, when any was
  /// lost since the last call (the others are kept); metadata "operation" names one.
  virtual absl::Status RenewLeases(absl::string_view owner) = 0;

  /// Ends the leases of `owner`, so that another need not wait for them to run out.
  virtual absl::Status ReleaseLeases(absl::string_view owner) = 0;
  virtual LeaseTimes lease_times() const = 0;
  /// Whether this process is the one of all on the store that does `role`. Asked for again at least
  /// every lease time by the one that does it.
  virtual absl::StatusOr<bool> TakeRole(absl::string_view role) = 0;
  /// Tells the listeners of all processes StoreChanges.observed_us. Nothing is stored: who does not
  /// hear of it asks once more itself.
  virtual void TellObserved(int64_t observed_us) = 0;

  /// UUID made with the store.
  virtual const std::string& orchestrator_id() const = 0;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_STORE_H_
