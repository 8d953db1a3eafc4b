// The step that makes a machine a member of the engine's own swarm.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_SWARM_STEPS_H_
#define SERVICES_ORCHESTRATOR_ENGINE_SWARM_STEPS_H_

#include "absl/status/status.h"
#include "machine/v1/machine.pb.h"
#include "services/orchestrator/engine/verb.h"

namespace machine::orchestrator {

/// Begins a swarm, or joins that of the machine that discovery names. A manager's join tokens are
/// sealed with its secrets. Repeated, it changes nothing. Applies to machines with engine_mode.
Step SwarmStep();

/// Takes the machine out of the engine's own swarm before it is removed: it leaves, and a manager
/// forgets it. Never fails: what does not work is a warning.
Step LeaveSwarmStep();

/// OK for swarm options that can work. INVALID_ARGUMENT for discovery that does not go with the
/// kind of swarm; FAILED_PRECONDITION PRECREATE_CHECK_FAILED for token://, whose service is gone.
absl::Status CheckSwarmOptions(const machine::v1::SwarmOptions& swarm);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_SWARM_STEPS_H_
