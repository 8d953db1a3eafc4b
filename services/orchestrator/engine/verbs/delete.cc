// delete: leave the swarm, remove the instance and everything made for it, then the record. By
// force the record goes in any case; then a tombstone keeps what is needed to go on removing the
// instance.
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/swarm_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {
namespace {

Step RemoveStep() {
  Step step = DriverStep("driver_remove", "", DriverAction::kRemove);
  step.applies = [](const OperationRecord& operation, const MachineRecord& machine) {
    return machine.create_begun() && !operation.request().forget_only();
  };
  return step;
}

Ending Succeed(const OperationRecord&, MachineRecord&) { return Ending::kRemoveMachine; }

Ending Fail(const OperationRecord& operation, MachineRecord& machine, const absl::Status& status,
            bool undone) {
  if (operation.request().force()) {
    return machine.create_begun() ? Ending::kBuryMachine : Ending::kRemoveMachine;
  }
  machine.mutable_machine()->set_state(machine::v1::MACHINE_STATE_ERROR);
  return FailAndKeep(operation, machine, status, undone);
}

}  // namespace

Verb MakeDeleteVerb() {
  return {
      .name = "delete",
      .steps = {LeaveSwarmStep(), RemoveStep()},
      .undo_steps = {},
      .undo = {},
      .succeed = Succeed,
      .fail = Fail,
      // Who forces it does not want to wait: the tombstone's removal has all the patience.
      .one_attempt = [](const OperationRecord& operation) { return operation.request().force(); },
      .deadline = absl::Minutes(15)};
}

}  // namespace machine::orchestrator
