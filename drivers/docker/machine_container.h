// What a machine is as a container: names, labels, the specification to create it by, and what its
// entry in the engine's list says of the machine.
#ifndef DRIVERS_DOCKER_MACHINE_CONTAINER_H_
#define DRIVERS_DOCKER_MACHINE_CONTAINER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/docker/engine_api.h"
#include "drivers/docker/settings.h"
#include "drivers/docker/state.pb.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::docker {

inline constexpr absl::string_view kLabelPrefix = "org.machine.";
inline constexpr absl::string_view kUidLabel = "org.machine.uid";
inline constexpr absl::string_view kNameLabel = "org.machine.name";
inline constexpr absl::string_view kOrchestratorLabel = "org.machine.orchestrator";
inline constexpr absl::string_view kRoleLabel = "org.machine.role";
inline constexpr absl::string_view kMachineRole = "machine";
/// The container that tells the engine's capabilities and ends.
inline constexpr absl::string_view kProbeRole = "probe";
/// The settings that cannot change while the container lives, as JSON.
inline constexpr absl::string_view kSettingsLabel = "org.machine.settings";
/// Where the machine's engine listens.
inline constexpr absl::string_view kEnginePortLabel = "org.machine.engine-port";
inline constexpr absl::string_view kSshUserLabel = "org.machine.ssh-user";

/// Whose container it is.
struct Identity {
  std::string uid;
  std::string name;
  std::string orchestrator_id;
};

/// Ports of the engine's host that lead into the machine, where its own address is out of reach.
struct PublishedPorts {
  int ssh = 0;
  /// The machine's engine listens on the same number, so that its address is the same from inside
  /// and outside, and stays over restarts.
  int engine = 0;
};

/// Computed from the uid, so that the engine itself refuses a second one.
std::string ContainerName(const Identity& identity);
std::string VolumeName(const Identity& identity, absl::string_view part);

/// The ports to try in the `attempt`-th place, from 0.
PublishedPorts PortsToTry(absl::string_view uid, int attempt);

Labels MachineLabels(const Identity& identity, const Settings& settings, int engine_port);
Labels VolumeLabels(const Identity& identity);
/// Finds the machine's container, and with it nothing else.
Labels FindMachine(absl::string_view uid);
/// Finds everything that belongs to the machine.
Labels FindAll(absl::string_view uid);

/// JSON text to create the machine's container by.
std::string MachineSpecification(const Identity& identity, const Settings& settings,
                                 const Privileges& privileges,
                                 const std::optional<PublishedPorts>& ports);

/// JSON text to create a container by that prints CapBnd of the process that starts containers.
std::string ProbeSpecification(const Identity& identity, absl::string_view image);

/// The bounding set in what such a container wrote. Errors: FAILED_PRECONDITION.
absl::StatusOr<uint64_t> ParseBoundingSet(absl::string_view output);

/// Names of the capabilities in a bounding set, without "CAP_".
std::vector<std::string> CapabilityNames(uint64_t bounding_set);

/// InstanceDiffers() when the container was made by other settings.
absl::Status CheckSameSettings(const Container& container, const Settings& settings);

/// The state of a machine whose container has `status`.
MachineState StateOf(absl::string_view status);

/// State, endpoint and id of a machine. `endpoint` is where its container's engine is.
Observation ObservationOf(const Container& container, const Endpoint& endpoint);

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_MACHINE_CONTAINER_H_
