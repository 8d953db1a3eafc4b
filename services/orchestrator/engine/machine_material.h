// What calls to drivers and the provisioner carry about a machine, put together from its record and
// its sealed secrets. All of these touch the disk.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_MACHINE_MATERIAL_H_
#define SERVICES_ORCHESTRATOR_ENGINE_MACHINE_MATERIAL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "driver/v1/driver.pb.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/secrets/secret_names.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

// Secrets of a manager of the engine's own swarm: how others join it.
inline constexpr char kSwarmWorkerTokenSecret[] = "swarm_worker_token";
inline constexpr char kSwarmManagerTokenSecret[] = "swarm_manager_token";
inline constexpr char kSwarmManagerAddressSecret[] = "swarm_manager_address";

/// "machine://" before the machine whose swarm is joined.
inline constexpr char kMachineDiscovery[] = "machine://";

/// A secret of a machine; empty when there is none.
absl::StatusOr<std::string> ReadSecret(const EngineParts& parts, absl::string_view uid,
                                       absl::string_view name);

/// The machine for a driver's call, secrets included. `operation` is empty for reads.
absl::StatusOr<::driver::v1::MachineRef> BuildMachineRef(const EngineParts& parts,
                                                         const MachineRecord& machine,
                                                         const OperationRecord& operation);

/// The same within a read that is open already, for many machines at once.
absl::StatusOr<::driver::v1::MachineRef> BuildMachineRef(StoreReader& reader,
                                                         const EngineParts& parts,
                                                         const MachineRecord& machine,
                                                         const OperationRecord& operation);

/// How to log in to the machine.
absl::StatusOr<::provisioner::v1::SshTarget> BuildSshTarget(const EngineParts& parts,
                                                            const MachineRecord& machine,
                                                            int64_t fencing_token);

/// What a client needs to use the engine of the machine: our own certificates, or those that an
/// imported machine goes on to trust.
absl::StatusOr<ClientBundle> ClientBundleOf(const EngineParts& parts, const MachineRecord& machine);

/// A bundle for the provisioner.
::provisioner::v1::TlsMaterial ToTlsMaterial(const ClientBundle& bundle);

/// Every name and address that clients may reach the engine by.
std::vector<std::string> NamesToCertify(const MachineRecord& machine);

/// Writes the machine's folder for programs that read it, if this orchestrator keeps one.
absl::Status SyncFolder(const EngineParts& parts, const MachineRecord& machine);

/// The same for all machines, after their client certificate has changed. The first error.
absl::Status SyncAllFolders(const EngineParts& parts);

/// How long a server certificate of the machine is good.
absl::Duration ServerCertLifetime(const machine::v1::Machine& machine);

/// True for a machine that is logged in to and provisioned.
bool HasSsh(const MachineRecord& machine);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_MACHINE_MATERIAL_H_
