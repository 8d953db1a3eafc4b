// What a machine is at vSphere: a virtual machine, how it is found, and what is done to it.
#ifndef DRIVERS_VMWAREVSPHERE_MACHINE_VM_H_
#define DRIVERS_VMWAREVSPHERE_MACHINE_VM_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"
#include "drivers/vmwarevsphere/settings.h"
#include "drivers/vmwarevsphere/state.pb.h"
#include "drivers/vmwarevsphere/vim_client.h"

namespace machine::driver::vmwarevsphere {

/// Entries of extraConfig that tell whose a virtual machine is.
inline constexpr absl::string_view kUidKey = "docker-machine.uid";
inline constexpr absl::string_view kOrchestratorKey = "docker-machine.orchestrator";

/// How often and how long the server is asked.
struct Timing {
  /// Before a request that failed is sent again, and between looks where the server cannot wake us.
  Backoff retry = {absl::Milliseconds(500), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(2);
  /// How often the session is used while something else goes on; a server ends one after 30 min.
  absl::Duration keep_alive = absl::Minutes(10);
};

/// What is asked of a virtual machine to tell its state.
std::vector<std::string> LookPaths();

/// An entry of config.extraConfig, where that was asked for; empty when there is none.
std::string ExtraConfigOf(const Properties& vm, absl::string_view key);

/// The state of a machine with these words of the server.
MachineState StateOfVm(absl::string_view connection, absl::string_view power);

/// State, endpoint and id, from LookPaths().
Observation ObservationOf(const Properties& vm, const Settings& settings);

/// The state of a machine that was imported, from the object `Driver` of the original's
/// config.json. FAILED_PRECONDITION when it names no machine.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// The virtual machine of a machine, with LookPaths(): by its instance UUID, which is the machine's
/// uid, else by the id or name in the state where the uid is in its extraConfig. UNAVAILABLE while
/// it is still being made.
absl::StatusOr<std::optional<Properties>> FindVm(const common::CallScope& call, VimClient& client,
                                                 const MachineSpec& machine, const State& state);

/// The same, or InstanceGone().
absl::StatusOr<Properties> RequireVm(const common::CallScope& call, VimClient& client,
                                     const MachineSpec& machine);

/// The virtual machine at a path of the inventory; empty when there is none.
absl::StatusOr<Ref> FindByPath(const common::CallScope& call, VimClient& client,
                               absl::string_view folder, absl::string_view name);

/// Brings it to power state `power` by `method` (a task, or a request to the guest), unless it is
/// there, and waits until `until`. Errors: InstanceGone(); DEADLINE_EXCEEDED STEP_TIMEOUT.
absl::StatusOr<Properties> BringTo(const common::CallScope& call, VimClient& client,
                                   const MachineSpec& machine, absl::string_view power,
                                   absl::string_view method, absl::Duration grace);

/// Deletes the virtual machine and its files, whatever point its create reached.
absl::Status RemoveAll(const common::CallScope& call, VimClient& client, const Timing& timing,
                       const MachineSpec& machine);

/// The name of the machine's folder in a datastore that has its ISO.
std::string IsoFolder(absl::string_view datastore, absl::string_view uid);

}  // namespace machine::driver::vmwarevsphere

#endif  // DRIVERS_VMWAREVSPHERE_MACHINE_VM_H_
