// What a driver is: linear, blocking code about one machine at a time. Serve() (serve.h) puts it
// behind the contract of proto/driver/v1/driver.proto.
#ifndef DRIVERS_SDK_DRIVER_H_
#define DRIVERS_SDK_DRIVER_H_

#include <google/protobuf/message_lite.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "driver/v1/driver.pb.h"
#include "drivers/sdk/driver_call.h"
#include "drivers/sdk/errors.h"
#include "drivers/sdk/flags.h"
#include "drivers/sdk/options.h"
#include "services/common/log/log.h"
#include "services/common/version/version.h"

namespace machine::driver {

using ::driver::v1::Capability;
using ::driver::v1::Observation;
using machine::v1::MachineState;

/// Facts about a driver that never change while it runs.
struct DriverInfo {
  /// Lower case, as after "--driver".
  std::string name;
  std::string version = common::kVersion;
  std::vector<Capability> capabilities;
  /// Version of the states it writes, from 1. Raise it when an older program could not read them.
  int state_version = 1;
  /// How long a fresh machine may take to answer ssh.
  absl::Duration ssh_timeout = absl::Seconds(60);
  /// How many calls run at once; at most 256.
  int max_concurrent_calls = 64;
  /// Why it cannot be used on this host; empty when it can.
  std::string unsupported_reason;

  bool Can(Capability capability) const;
};

/// What a driver gets from the process it runs in.
struct DriverEnvironment {
  common::Logger log;
  /// UUID of the orchestrator.
  std::string orchestrator_id;
  /// Folder (0700) of this driver alone, for bulky files of its instances. It exists only once the
  /// driver has made it. Empty when the process was given none.
  std::string data_dir;
};

/// A machine as a driver's method sees it.
struct MachineSpec {
  /// UUID. Every outside object carries a tag, name or token computed from it.
  std::string uid;
  std::string name;
  /// Complete: every flag has its value or default.
  Options options;
  /// Serialized state of the current version; no value before the first checkpoint.
  std::optional<std::string> state;
  /// Version of `state`; only UpgradeState sees another than the current one.
  int state_version = 0;
  /// Public ssh key to put on the machine, one line as in authorized_keys.
  std::string ssh_public_key;
  /// Private ssh key of the machine. Secret.
  std::string ssh_private_key;
  /// Socket of an ssh agent that can log in; empty when there is none.
  std::string ssh_agent_socket;
  /// SHA-256 of the pinned ssh host key; empty before the first contact.
  std::string ssh_host_key_sha256;

  /// Reads `state` into `message`, the driver's own proto; an absent state leaves it empty.
  /// Errors: DATA_LOSS when it is not one.
  absl::Status ParseState(google::protobuf::MessageLite& message) const;
};

/// Puts the state to store into an observation.
void SetState(const google::protobuf::MessageLite& state, Observation& observation);

/// Version of the state of a machine that was imported from the original's store.
inline constexpr int kImportedStateVersion = 0;

/// All machines of one provider.
///
/// Methods run on threads of a pool and may block. Several run at once (one at a time with
/// CAPABILITY_SERIAL), but never two of Create, Start, Stop, Kill, Restart and Remove for one
/// machine. Each calls `call.Check()` before an outside effect, so that a cancelled call stops
/// there. Everything outside is found by the machine's uid before it is made, because any method
/// may run again after a crash at any point. No secret enters a message or a log line.
class Driver {
 public:
  virtual ~Driver() = default;

  virtual DriverInfo info() const = 0;
  virtual Flags flags() const = 0;

  /// Runs once, before any other method but info() and flags(). Threads are started here or later,
  /// never by the constructor, which runs before the process has blocked its signals.
  virtual absl::Status Init(const DriverEnvironment& environment);

  /// Checks what the schema cannot say, and brings values to their standard form. Asks no provider.
  /// Errors: BadOption().
  virtual absl::Status Validate(Options& options) const;

  /// Checks at the provider that a create can succeed. Makes nothing.
  virtual absl::Status PreCreateCheck(DriverCall& call, const MachineSpec& machine);

  /// Makes the instance, or adopts the one a former attempt made (see adopt.h), and waits until it
  /// runs. Errors: InstanceDiffers().
  virtual absl::StatusOr<Observation> Create(DriverCall& call, const MachineSpec& machine) = 0;

  /// Powers on; OK when it runs already. With CAPABILITY_POWER. Errors: InstanceGone().
  virtual absl::StatusOr<Observation> Start(DriverCall& call, const MachineSpec& machine);

  /// Shuts down gracefully; OK when it is stopped already. `grace` is how long the guest may take;
  /// no value means the driver's own time, after which it may power off a guest that does not obey
  /// (see Stop in driver.proto). Errors: DEADLINE_EXCEEDED STEP_TIMEOUT when the guest does not
  /// obey within a given grace. With CAPABILITY_POWER.
  virtual absl::StatusOr<Observation> Stop(DriverCall& call, const MachineSpec& machine,
                                           std::optional<absl::Duration> grace);

  /// Powers off at once; OK when it is stopped already. With CAPABILITY_KILL.
  virtual absl::StatusOr<Observation> Kill(DriverCall& call, const MachineSpec& machine);

  /// Reboots; starts it when it is stopped. With CAPABILITY_RESTART.
  virtual absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine);

  /// Removes the instance and all that belongs to it; OK when nothing is there. The state may be
  /// absent: then everything is found by uid.
  virtual absl::Status Remove(DriverCall& call, const MachineSpec& machine) = 0;

  /// State and endpoint. A machine that the provider does not know is OK with
  /// MACHINE_STATE_NOT_FOUND.
  virtual absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) = 0;

  /// One observation for each machine, in order. A machine that cannot be asked has state TIMEOUT.
  /// By default Inspect() of each, on a few threads of its own.
  virtual absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines);

  /// Every instance that carries the tag of orchestrator `orchestrator_id`. `options` tell the
  /// account and the place. With CAPABILITY_LIST_INSTANCES.
  virtual absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> ListInstances(
      DriverCall& call, absl::string_view orchestrator_id, const Options& options);

  /// The state in the current version, from `machine.state` in `machine.state_version`, which is
  /// older. Version kImportedStateVersion is the object `Driver` of the original's config.json, of
  /// a machine that was imported: its instance carries no tag of ours and is known by the id in
  /// there only. Other versions are met once info().state_version exceeds 1.
  virtual absl::StatusOr<std::string> UpgradeState(DriverCall& call, const MachineSpec& machine);
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_DRIVER_H_
