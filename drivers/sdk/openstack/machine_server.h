// What a machine is in an OpenStack cloud: a server and what belongs to it, and how they are found.
#ifndef DRIVERS_SDK_OPENSTACK_MACHINE_SERVER_H_
#define DRIVERS_SDK_OPENSTACK_MACHINE_SERVER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/openstack/compute.h"
#include "drivers/sdk/openstack/network.h"
#include "drivers/sdk/openstack/plan.h"
#include "drivers/sdk/openstack/state.pb.h"

namespace machine::driver::openstack {

/// Keys of a server's metadata.
inline constexpr absl::string_view kUidKey = "machine-uid";
inline constexpr absl::string_view kMachineKey = "docker-machine";
inline constexpr absl::string_view kOrchestratorKey = "machine-orchestrator";

/// How often and how long the cloud is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise; Nova itself powers off after 60 s.
  absl::Duration grace = absl::Minutes(2);
};

/// The state of a machine whose server has `status`, and is busy with `task`, or not.
MachineState StateOfServer(absl::string_view status, absl::string_view task);

/// State, endpoint and id of a machine. `floating_ip` is what is known of it where the server's
/// own addresses do not show one yet; may be empty.
Observation ObservationOf(const Server& server, const Plan& plan, absl::string_view floating_ip);

/// The state of a machine that was imported, from the object `Driver` of the original's
/// config.json. FAILED_PRECONDITION when it has no server.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// The server of a machine: by the id in its state, else by its uid.
absl::StatusOr<std::optional<Server>> FindServerOf(const common::CallScope& call,
                                                   const CloudClient& cloud,
                                                   const MachineSpec& machine);

/// The same, or InstanceGone().
absl::StatusOr<Server> RequireServer(const common::CallScope& call, const CloudClient& cloud,
                                     const MachineSpec& machine);

/// Brings the server to `wanted`, RUNNING or STOPPED, unless it is there, and waits `limit`.
/// Errors: InstanceGone(); DEADLINE_EXCEEDED STEP_TIMEOUT when it does not get there;
/// FAILED_PRECONDITION where it is in ERROR.
absl::StatusOr<Server> BringTo(const common::CallScope& call, const CloudClient& cloud,
                               const Timing& timing, const MachineSpec& machine,
                               MachineState wanted, absl::Duration limit);

/// Has a server that runs reboot, gently.
absl::Status Reboot(const common::CallScope& call, const CloudClient& cloud, const Timing& timing,
                    absl::string_view server_id);

/// Name of the group that opens the ports of `plan`: machines of one project that ask for the same
/// share it.
std::string GroupName(const Plan& plan);

/// Deletes the server and all that was made for the machine, whatever point its create reached.
absl::Status RemoveAll(DriverCall& call, const CloudClient& cloud, const Timing& timing,
                       const MachineSpec& machine, const Plan& plan);

/// One create of one machine. Its arguments outlive it.
class ServerCreator {
 public:
  ServerCreator(DriverCall& call, const CloudClient& cloud, const Timing& timing,
                const MachineSpec& machine, const Plan& plan);

  absl::StatusOr<Observation> Run();

 private:
  /// Chooses what the user has not, once and for all attempts.
  absl::Status ChooseOnce();
  /// Name of the pair to log in with; empty for none.
  absl::StatusOr<std::string> EnsureKeyPair();
  /// Ids of the groups of the machine's port; no value where it can have none.
  absl::StatusOr<std::optional<std::vector<std::string>>> EnsureGroups();
  absl::StatusOr<std::string> EnsureOwnGroup();
  absl::StatusOr<Port> EnsurePort();
  absl::Status EnsureFloatingIp(const Port& port);
  absl::StatusOr<FloatingIp> TakeFloatingIp(const Port& port);
  /// The id of a volume with the image on it; empty where the machine needs none.
  absl::StatusOr<std::string> EnsureVolume();
  absl::StatusOr<Server> EnsureServer(const std::string& key_pair,
                                      const std::vector<std::string>& ports,
                                      const std::string& volume);
  /// The one server of the machine; further ones, made when an answer was lost, are deleted.
  absl::StatusOr<std::optional<Server>> KeepOne();
  absl::Status CheckSame(const Server& server) const;
  absl::StatusOr<Server> AwaitRunning(const std::string& id);
  std::map<std::string, std::string> Metadata() const;

  DriverCall& call_;
  const CloudClient& cloud_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Plan& plan_;
  const std::string tag_;
  State state_;
};

}  // namespace machine::driver::openstack

#endif  // DRIVERS_SDK_OPENSTACK_MACHINE_SERVER_H_
