#include "services/common/status/status.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Ending SucceedAsObserved(const OperationRecord&, MachineRecord& machine) {
  machine.mutable_machine()->clear_last_error();
  return Ending::kKeepMachine;
}

Ending SucceedStarted(const OperationRecord& operation, MachineRecord& machine) {
  if (machine.machine().state() == machine::v1::MACHINE_STATE_STARTING) {
    machine.mutable_machine()->set_state(machine::v1::MACHINE_STATE_RUNNING);
  }
  return SucceedAsObserved(operation, machine);
}

Ending SucceedRunning(const OperationRecord& operation, MachineRecord& machine) {
  machine.mutable_machine()->set_state(machine::v1::MACHINE_STATE_RUNNING);
  machine.set_complete(true);
  return SucceedAsObserved(operation, machine);
}

Ending FailAndKeep(const OperationRecord&, MachineRecord& machine, const absl::Status& status,
                   bool) {
  *machine.mutable_machine()->mutable_last_error() = common::ToRpcStatus(status);
  machine.mutable_machine()->clear_observe_time();
  return Ending::kKeepMachine;
}

}  // namespace machine::orchestrator
