// create: check at the provider, make the instance, wait for ssh, provision, check the engine.
#include "services/common/status/status.h"
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/swarm_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {
namespace {

// From here on something may exist at the provider, and programs that read the folder may know.
Step BeginStep() {
  return {.name = "begin",
          .message = "",
          .run =
              [](const OperationRunPointer& run, StepDone done) {
                run->Update([](MachineRecord& machine) { machine.set_create_begun(true); });
                done(SyncFolder(run->parts(), run->machine()));
              },
          .applies = {}};
}

// A create that is resumed would find what it made itself.
Step FirstTimeCheckStep() {
  Step step = PreCreateCheckStep();
  step.applies = [](const OperationRecord&, const MachineRecord& machine) {
    return !machine.create_begun();
  };
  return step;
}

bool Undo(const OperationRecord& operation, const MachineRecord& machine,
          const absl::Status& status) {
  if (!machine.create_begun()) return false;
  switch (operation.request().on_failure()) {
    case machine::v1::FAILURE_POLICY_ROLLBACK:
      return true;
    case machine::v1::FAILURE_POLICY_KEEP:
      return false;
    default:
      // Who cancels a create does not want the machine.
      return status.code() == absl::StatusCode::kCancelled;
  }
}

Ending Succeed(const OperationRecord& operation, MachineRecord& machine) {
  machine.set_complete(true);
  // Its engine has answered, or nobody has looked yet: then the first one who asks does.
  machine.mutable_machine()->set_state(machine.provisioned()
                                           ? machine::v1::MACHINE_STATE_RUNNING
                                           : machine::v1::MACHINE_STATE_UNSPECIFIED);
  return SucceedAsObserved(operation, machine);
}

Ending Fail(const OperationRecord& operation, MachineRecord& machine, const absl::Status& status,
            bool undone) {
  // Nothing was made, or nothing is left: the name is free again.
  if (!machine.create_begun() || undone) return Ending::kRemoveMachine;
  machine.mutable_machine()->set_state(machine::v1::MACHINE_STATE_ERROR);
  return FailAndKeep(operation, machine, status, undone);
}

}  // namespace

Verb MakeCreateVerb() {
  return {
      .name = "create",
      .steps = {FirstTimeCheckStep(), BeginStep(),
                DriverStep("driver_create", "Creating machine...", DriverAction::kCreate),
                WaitForSshStep(),
                ProvisionStep("Detecting the provisioner...", ProvisionAction::kProvision),
                CheckDockerStep(), SwarmStep()},
      .undo_steps = {DriverStep("driver_remove", "Removing the machine...", DriverAction::kRemove)},
      .undo = Undo,
      .succeed = Succeed,
      .fail = Fail,
      .deadline = absl::Minutes(45)};
}

}  // namespace machine::orchestrator
