// restart: reboot, certify new addresses, wait for the engine.
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Verb MakeRestartVerb() {
  return {.name = "restart",
          .steps = {DriverStep("driver_restart", "", DriverAction::kRestart), WaitForSshStep(),
                    CertifyNewAddressesStep(), CheckDockerStep()},
          .undo_steps = {},
          .undo = {},
          .succeed = SucceedStarted,
          .fail = FailAndKeep,
          .deadline = absl::Minutes(20)};
}

}  // namespace machine::orchestrator
