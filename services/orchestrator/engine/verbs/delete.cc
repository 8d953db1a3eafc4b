// delete: remove the instance and everything made for it, then the record.
#include "services/orchestrator/engine/driver_steps.h"
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
  if (operation.request().force()) return Ending::kRemoveMachine;
  machine.mutable_machine()->set_state(machine::v1::MACHINE_STATE_ERROR);
  return FailAndKeep(operation, machine, status, undone);
}

}  // namespace

Verb MakeDeleteVerb() {
  return {.name = "delete",
          .steps = {RemoveStep()},
          .undo_steps = {},
          .undo = {},
          .succeed = Succeed,
          .fail = Fail,
          .deadline = absl::Minutes(15)};
}

}  // namespace machine::orchestrator
