// Turns requests into operations: checks them, records them in one transaction, hands them to the
// engine.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_ADMISSION_H_
#define SERVICES_ORCHESTRATOR_ENGINE_ADMISSION_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/longrunning/operations.pb.h"
#include "machine/v1/machines.pb.h"
#include "services/orchestrator/engine/engine.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/events/watch_hub.h"

namespace machine::orchestrator {

/// A mutation of a machine that exists.
struct VerbRequest {
  absl::string_view verb;
  /// "machines/{id}" or the id alone.
  std::string machine;
  std::string etag;
  std::string request_id;
  /// BodyHash() of the whole request.
  std::string body_hash;
  /// Who asks.
  std::string caller;
  /// Of the call; empty for a new one.
  std::string trace_id;
  ::orchestrator::store::OperationRequest details;
  /// Cancels an operation under way and waits for its end, instead of being refused.
  bool preempt = false;
  /// A machine that does not exist is a success.
  bool allow_missing = false;
};

/// Thread-safe. `Reply` is called once, on the store's thread or the executor.
class Admission {
 public:
  using Reply = absl::AnyInvocable<void(absl::StatusOr<google::longrunning::Operation>)>;

  Admission(EngineParts parts, Engine& engine, WatchHub& hub);

  /// Errors as in machine.v1.Machines.CreateMachine.
  /// `trace_id` as in VerbRequest.
  void Create(machine::v1::CreateMachineRequest request, std::string caller, std::string trace_id,
              Reply reply);

  /// Errors: NOT_FOUND MACHINE_NOT_FOUND; ABORTED ETAG_MISMATCH or OPERATION_IN_PROGRESS;
  /// UNIMPLEMENTED CAPABILITY_MISSING; INVALID_ARGUMENT REQUEST_ID_REUSED.
  void Begin(VerbRequest request, Reply reply);

 private:
  struct CreateCall;

  void CreateWithDriver(std::shared_ptr<CreateCall> call);
  // Adds the options of the machine's credential to what the driver is to validate.
  absl::Status JoinCredential(CreateCall& call);
  void Validate(std::shared_ptr<CreateCall> call);
  absl::Status PrepareRecord(CreateCall& call);
  void CommitCreate(std::shared_ptr<CreateCall> call);
  // Whether the create goes on with what a former one of the same machine has begun: its operation
  // is then in `call`.
  absl::StatusOr<bool> Resume(StoreTransaction& transaction, CreateCall& call);
  static absl::Status KeepRequest(StoreTransaction& transaction, const CreateCall& call);
  void WaitAndBeginAgain(std::shared_ptr<VerbRequest> request, std::shared_ptr<Reply> reply,
                         const std::string& operation);
  void TryBegin(std::shared_ptr<VerbRequest> request, std::shared_ptr<Reply> reply);

  const EngineParts parts_;
  Engine& engine_;
  WatchHub& hub_;
};

/// The operation as clients see it.
google::longrunning::Operation ToOperation(const OperationRecord& record);

/// "Docker machine … does not exist": NOT_FOUND MACHINE_NOT_FOUND.
absl::Status MachineNotFound(absl::string_view id);

/// INVALID_ARGUMENT INVALID_MACHINE_NAME unless `id` can name a machine.
absl::Status CheckMachineId(absl::string_view id);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_ADMISSION_H_
