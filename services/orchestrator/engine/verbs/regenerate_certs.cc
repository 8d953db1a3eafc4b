// regenerate-certs: a new server certificate, and the engine restarted with it.
#include "services/orchestrator/engine/provision_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Verb MakeRegenerateCertsVerb() {
  return {.name = "regenerate-certs",
          .steps = {ClientCertsStep(), WaitForSshStep(),
                    ProvisionStep("Regenerating TLS certificates", ProvisionAction::kConfigureTls,
                                  /*renew=*/true),
                    CheckDockerStep()},
          .undo_steps = {},
          .undo = {},
          .succeed = SucceedRunning,
          .fail = FailAndKeep,
          .deadline = absl::Minutes(20)};
}

}  // namespace machine::orchestrator
