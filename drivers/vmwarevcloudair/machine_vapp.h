// What a machine is at Cloud Director: a vApp with one virtual machine.
#ifndef DRIVERS_VMWAREVCLOUDAIR_MACHINE_VAPP_H_
#define DRIVERS_VMWAREVCLOUDAIR_MACHINE_VAPP_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"
#include "drivers/vmwarevcloudair/edge_gateway.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "drivers/vmwarevcloudair/state.pb.h"
#include "drivers/vmwarevcloudair/vcd_api.h"

namespace machine::driver::vmwarevcloudair {

/// How often and how long the provider is asked.
struct Timing {
  /// Between looks, and before a request that failed is sent again.
  Backoff poll = {absl::Seconds(1), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(2);
};

/// A machine as a query shows it.
struct Instance {
  /// URL of the vApp.
  std::string vapp;
  /// URL of the virtual machine in it; empty while there is none.
  std::string vm;
  /// The vApp's name: the tag of the machine's uid.
  std::string name;
  /// "POWERED_ON".
  std::string status;
  std::string ip;
};

/// The state of a machine with this status.
MachineState StateOfVm(absl::string_view status);

/// State, endpoint and id.
Observation ObservationOf(const Instance& instance, const Settings& settings);

/// The state of a machine that was imported, from the object `Driver` of the original's
/// config.json. FAILED_PRECONDITION when it has no vApp.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// The machines whose vApps have names that fit `pattern`, which may end with "*".
absl::StatusOr<std::vector<Instance>> ListInstancesNamed(const common::CallScope& call, VcdApi& api,
                                                         absl::string_view pattern);

/// The instance of a machine: by its uid, or by the URL in the state of one that was imported.
absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call, VcdApi& api,
                                                     const MachineSpec& machine);

/// The same, or InstanceGone().
absl::StatusOr<Instance> RequireInstance(const common::CallScope& call, VcdApi& api,
                                         const MachineSpec& machine);

/// What `settings` ask of the edge gateway for the machine, which has no address yet.
PublicAccess AccessTo(const MachineSpec& machine, const Settings& settings);

/// Brings it to `status` by the power action, unless it is there, and waits `grace`.
/// Errors: InstanceGone(); DEADLINE_EXCEEDED STEP_TIMEOUT.
absl::StatusOr<Instance> BringTo(const common::CallScope& call, VcdApi& api, const Timing& timing,
                                 const MachineSpec& machine, absl::string_view status,
                                 absl::string_view action, absl::Duration grace);

/// Deletes the vApp and the rules on the edge gateway, whatever point its create reached.
absl::Status RemoveAll(const common::CallScope& call, VcdApi& api, const Timing& timing,
                       const MachineSpec& machine);

/// Makes the machine, or goes on with a former attempt, and waits until it runs and has an address.
absl::StatusOr<Observation> CreateMachine(DriverCall& call, VcdApi& api, const Timing& timing,
                                          const MachineSpec& machine, const Settings& settings);

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_MACHINE_VAPP_H_
