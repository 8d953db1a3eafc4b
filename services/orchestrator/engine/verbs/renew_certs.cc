// renew-certs: a new server certificate before the present one ends. Begun by the orchestrator
// itself, so it leaves everything else of the machine as it is.
#include "absl/strings/match.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {
namespace {

constexpr char kContext[] = "renewing the server certificate";

Ending Succeed(const OperationRecord&, MachineRecord& machine) {
  // What another operation has left stays to be seen.
  if (absl::StartsWith(machine.machine().last_error().message(), kContext)) {
    machine.mutable_machine()->clear_last_error();
  }
  return Ending::kKeepMachine;
}

// The engine runs on with the certificate that it has; it is tried again.
Ending Fail(const OperationRecord&, MachineRecord& machine, const absl::Status& status, bool) {
  *machine.mutable_machine()->mutable_last_error() =
      common::ToRpcStatus(common::Annotate(status, kContext));
  return Ending::kKeepMachine;
}

}  // namespace

Verb MakeRenewCertsVerb() {
  return {.name = "renew-certs",
          .steps = {WaitForSshStep(),
                    ProvisionStep("Renewing the server certificate", ProvisionAction::kConfigureTls,
                                  /*renew=*/true),
                    CheckDockerStep()},
          .undo_steps = {},
          .undo = {},
          .succeed = Succeed,
          .fail = Fail,
          .deadline = absl::Minutes(10)};
}

}  // namespace machine::orchestrator
