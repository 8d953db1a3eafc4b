// Everything that can be done with a machine. One file a verb.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_VERBS_VERBS_H_
#define SERVICES_ORCHESTRATOR_ENGINE_VERBS_VERBS_H_

#include "absl/strings/string_view.h"
#include "services/orchestrator/engine/verb.h"

namespace machine::orchestrator {

Verb MakeCreateVerb();
Verb MakeDeleteVerb();
Verb MakeStartVerb();
Verb MakeStopVerb();
Verb MakeKillVerb();
Verb MakeRestartVerb();
Verb MakeProvisionVerb();
Verb MakeUpgradeVerb();
Verb MakeRegenerateCertsVerb();
Verb MakeRenewCertsVerb();

/// The end of an operation that leaves the machine as its steps recorded it.
Ending SucceedAsObserved(const OperationRecord& operation, MachineRecord& machine);

/// The end of an operation that brought the machine up: Running only now, when all steps are done.
Ending SucceedStarted(const OperationRecord& operation, MachineRecord& machine);

/// The end of an operation whose last step found the engine up: also a machine whose create had
/// failed is in order now.
Ending SucceedRunning(const OperationRecord& operation, MachineRecord& machine);

/// The failure of an operation on a machine that exists: the error is shown, the machine stays, and
/// its state is asked anew because nobody knows how far the failed step came.
Ending FailAndKeep(const OperationRecord& operation, MachineRecord& machine,
                   const absl::Status& status, bool undone);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_VERBS_VERBS_H_
