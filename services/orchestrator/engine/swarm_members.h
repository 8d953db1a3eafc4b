// Which machines are in one of the engine's own swarms.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_SWARM_MEMBERS_H_
#define SERVICES_ORCHESTRATOR_ENGINE_SWARM_MEMBERS_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "machine/v1/machine.pb.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/orchestrator/certs/certificates.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Other machines that may manage the swarm of `machine`, the one that began it first. A machine
/// joins one that was there before, which may have joined another. Touches the disk.
absl::StatusOr<std::vector<MachineRecord>> OtherSwarmManagers(Store& store,
                                                              const machine::v1::Machine& machine);

/// Adds to `request` those of `managers` that have an address, and certificates that can be read:
/// one of them is enough.
void AddSwarmManagers(
    const std::vector<MachineRecord>& managers,
    absl::FunctionRef<absl::StatusOr<ClientBundle>(const MachineRecord&)> bundle_of,
    ::provisioner::v1::LeaveSwarmRequest& request);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_SWARM_MEMBERS_H_
