// stop: shut down gracefully.
#include "services/orchestrator/engine/driver_steps.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {

Verb MakeStopVerb() {
  return {.name = "stop",
          .steps = {DriverStep("driver_stop", "", DriverAction::kStop)},
          .undo_steps = {},
          .undo = {},
          .succeed = SucceedAsObserved,
          .fail = FailAndKeep,
          .deadline = absl::Minutes(15)};
}

}  // namespace machine::orchestrator
