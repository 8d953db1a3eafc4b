// One operation being carried out by this process.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_OPERATION_RUN_H_
#define SERVICES_ORCHESTRATOR_ENGINE_OPERATION_RUN_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "driver/v1/driver.pb.h"
#include "machine/v1/operations.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/failpoint/failpoints.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/certs/certificates.h"
#include "services/orchestrator/drivers/registry.h"
#include "services/orchestrator/engine/tenure.h"
#include "services/orchestrator/engine/verb.h"
#include "services/orchestrator/import/machine_folder.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// What operations work with. All outlive the engine.
struct EngineParts {
  Store& store;
  common::Executor& executor;
  DriverRegistry& drivers;
  const SecretVault& vault;
  Certificates& certificates;
  /// Null for an orchestrator that is not private.
  MachineFolder* folder;
  const common::Failpoints& failpoints;
  common::Metrics& metrics;
  const common::Logger& log;
  const common::Clock& clock;
};

/// Runs a verb's steps one after the other. Everything happens on its strand, but for the calls it
/// waits for: an operation that waits holds no thread.
///
/// Before a step with an effect its intent is committed, and after it its outcome, each guarded by
/// the epoch of this worker. After kill -9 the next claimer finds the intent without outcome and
/// runs the step again. When the guard fails, another worker owns the operation, and this one stops
/// without a word.
class OperationRun : public std::enable_shared_from_this<OperationRun> {
 public:
  /// `tenure`: the owner of its lease. `on_end` is told once when this process has nothing more to
  /// do with the operation.
  OperationRun(const EngineParts& parts, const Verb& verb, OperationRecord operation,
               std::shared_ptr<Tenure> tenure, absl::AnyInvocable<void()> on_end);

  /// Begins, or goes on where the record says.
  void Start();
  /// Asks it to stop at its next safe point. Thread-safe.
  void Cancel();
  /// Drops it as kill -9 would, without a write: the next orchestrator goes on with it.
  /// Thread-safe.
  void Abandon();

  // For steps; on the strand only.
  const EngineParts& parts() const { return parts_; }
  const OperationRecord& operation() const { return operation_; }
  /// The record as of the start, with the changes of this operation.
  const MachineRecord& machine() const { return machine_; }
  /// Changes the machine's record: now for the steps, and in the row at the next commit. `change`
  /// is applied to the row as it then is, so it must set what it means and nothing else.
  void Update(std::function<void(MachineRecord&)> change);
  /// Seals a secret of the machine into the next commit.
  absl::Status PutSecret(absl::string_view name, absl::string_view value);
  /// Opens a secret of the machine; empty when there is none. Touches the disk.
  absl::StatusOr<std::string> GetSecret(absl::string_view name);
  /// Tells watchers; step numbers are filled in here.
  void EmitProgress(machine::v1::Progress progress);
  void EmitLog(machine::v1::LogLine line);
  void Say(absl::string_view text);
  /// Stores what the driver wants to remember, at once.
  absl::Status Checkpoint(const ::driver::v1::DriverState& state);
  /// `hook` ends the call that the step waits for; run at once when cancellation was asked already.
  void OnCancel(std::function<void()> hook);
  /// Time left for the operation.
  absl::Duration Remaining() const;

  const std::shared_ptr<common::Strand>& strand() const { return strand_; }

 private:
  // Everything one commit writes.
  struct PendingWrite {
    std::vector<std::function<void(MachineRecord&)>> changes;
    std::vector<machine::v1::OperationEvent> events;
    std::vector<std::pair<std::string, std::string>> secrets;
    OperationRecord operation;
    // Set in the commit that ends the operation.
    bool ends = false;
    absl::Status outcome;
    absl::Time now;
    std::function<Ending(MachineRecord&)> ending;
  };

  void Load();
  void Drop();
  const std::vector<Step>& steps() const;
  void NextStep();
  void BeginStep(const Step& step);
  void RunStep(const Step& step);
  void StepEnded(const Step& step, const absl::Status& status);
  bool Retry(const Step& step, const absl::Status& status);
  void Fail(const absl::Status& status);
  void Finish(const absl::Status& outcome);

  // Commits what is pending, then runs `then` on the strand. Commits keep their order.
  void Flush(common::Task then = nullptr);
  void StartWrite();
  void WriteEnded(const std::shared_ptr<PendingWrite>& write, const absl::Status& status);
  static absl::Status Commit(StoreTransaction& transaction, PendingWrite& write);
  void End();

  const EngineParts& parts_;
  const Verb& verb_;
  const std::shared_ptr<common::Strand> strand_;
  OperationRecord operation_;
  const std::shared_ptr<Tenure> tenure_;
  MachineRecord machine_;
  absl::AnyInvocable<void()> on_end_;
  std::function<void()> cancel_hook_;
  std::shared_ptr<PendingWrite> pending_;
  std::vector<common::Task> waiting_for_flush_;
  bool write_running_ = false;
  bool ended_ = false;
  absl::Duration step_start_ = absl::ZeroDuration();
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_OPERATION_RUN_H_
