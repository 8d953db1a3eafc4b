// upgrade: the newest engine that the host's packages offer.
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Verb MakeUpgradeVerb() {
  return {
      .name = "upgrade",
      .steps = {WaitForSshStep(), ProvisionStep("Upgrading docker...", ProvisionAction::kUpgrade),
                CheckDockerStep()},
      .undo_steps = {},
      .undo = {},
      .succeed = SucceedRunning,
      .fail = FailAndKeep,
      .deadline = absl::Minutes(30)};
}

}  // namespace machine::orchestrator
