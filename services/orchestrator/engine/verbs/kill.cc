// kill: power off at once.
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Verb MakeKillVerb() {
  return {.name = "kill",
          .steps = {DriverStep("driver_kill", "", DriverAction::kKill)},
          .undo_steps = {},
          .undo = {},
          .succeed = SucceedAsObserved,
          .fail = FailAndKeep,
          .deadline = absl::Minutes(10)};
}

}  // namespace machine::orchestrator
