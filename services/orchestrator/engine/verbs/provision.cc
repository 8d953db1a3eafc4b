// provision: install and configure the engine again, as far as it differs.
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/swarm_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Verb MakeProvisionVerb() {
  return {.name = "provision",
          .steps = {WaitForSshStep(),
                    ProvisionStep("Detecting the provisioner...", ProvisionAction::kProvision),
                    CheckDockerStep(), SwarmStep()},
          .undo_steps = {},
          .undo = {},
          .succeed = SucceedRunning,
          .fail = FailAndKeep,
          .deadline = absl::Minutes(30)};
}

}  // namespace machine::orchestrator
