#include "services/orchestrator/engine/swarm_members.h"

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/strip.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/machine_material.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {
namespace {

// Machines with the engine's own swarm, by id.
using SwarmMachines = std::map<std::string, MachineRecord, std::less<>>;

// The machine that began the swarm of `machine`: each joined another one's, but for the first.
std::string FounderOf(const SwarmMachines& all, const machine::v1::Machine& machine) {
  std::string founder(MachineId(machine.name()));
  absl::string_view joined = machine.swarm().discovery();
  // Machines that are named anew could name each other in a ring.
  for (size_t steps = 0; steps <= all.size() && absl::ConsumePrefix(&joined, kMachineDiscovery);
       ++steps) {
    founder = std::string(joined);
    const auto found = all.find(founder);
    if (found == all.end()) break;
    joined = found->second.machine().swarm().discovery();
  }
  return founder;
}

}  // namespace

absl::StatusOr<std::vector<MachineRecord>> OtherSwarmManagers(Store& store,
                                                              const machine::v1::Machine& machine) {
  SwarmMachines all;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    return reader.ForEachMachine(
        [&](MachineRecord other) {
          if (!other.machine().swarm().engine_mode() || !other.provisioned()) return;
          all.emplace(MachineId(other.machine().name()), std::move(other));
        },
        nullptr);
  }));
  const std::string founder = FounderOf(all, machine);
  std::vector<MachineRecord> managers;
  for (const auto& [id, other] : all) {
    const machine::v1::Machine& each = other.machine();
    if (each.uid() == machine.uid() || FounderOf(all, each) != founder) continue;
    if (id == founder) {
      managers.insert(managers.begin(), other);
    } else if (each.swarm().master()) {
      managers.push_back(other);
    }
  }
  return managers;
}

void AddSwarmManagers(
    const std::vector<MachineRecord>& managers,
    absl::FunctionRef<absl::StatusOr<ClientBundle>(const MachineRecord&)> bundle_of,
    ::provisioner::v1::LeaveSwarmRequest& request) {
  for (const MachineRecord& each : managers) {
    if (each.machine().endpoint().docker_url().empty()) continue;
    const absl::StatusOr<ClientBundle> client = bundle_of(each);
    if (!client.ok()) continue;  // The next one may do.
    ::provisioner::v1::SwarmManager& manager = *request.add_managers();
    manager.set_docker_url(each.machine().endpoint().docker_url());
    *manager.mutable_tls() = ToTlsMaterial(*client);
  }
}

}  // namespace machine::orchestrator
