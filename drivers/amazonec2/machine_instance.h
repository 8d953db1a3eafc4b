// What a machine is at EC2: an instance and what belongs to it, and how they are found.
#ifndef DRIVERS_AMAZONEC2_MACHINE_INSTANCE_H_
#define DRIVERS_AMAZONEC2_MACHINE_INSTANCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/amazonec2/ec2_api.h"
#include "drivers/amazonec2/settings.h"
#include "drivers/amazonec2/state.pb.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::amazonec2 {

/// Keys of the tags on everything that is made for a machine.
inline constexpr absl::string_view kUidKey = "docker-machine-uid";
inline constexpr absl::string_view kOrchestratorKey = "docker-machine-orchestrator";

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(3);
};

/// The state of a machine whose instance has `state`.
MachineState StateOfInstance(absl::string_view state);

/// A condition on `key`, a tag.
Filter TagIs(absl::string_view key, absl::string_view value);
/// Instances that are not ended.
Filter NotTerminated();

/// State, endpoint and id of a machine.
Observation ObservationOf(const Instance& instance, const Settings& settings);

/// The instance of a machine, unless it has ended: by its tag; of several the one in the state.
absl::StatusOr<std::optional<Instance>> FindMachine(const common::CallScope& call,
                                                    const Ec2Api& api, const MachineSpec& machine);

/// The same, or InstanceGone().
absl::StatusOr<Instance> RequireMachine(const common::CallScope& call, const Ec2Api& api,
                                        const MachineSpec& machine);

/// How an instance gets to a state.
enum class Power { kStart, kStop, kForcedStop };

/// Brings the instance to the state that `power` leads to, and waits `grace`. Errors:
/// InstanceGone(); DEADLINE_EXCEEDED STEP_TIMEOUT when it does not get there; FAILED_PRECONDITION
/// for a spot instance, which cannot be stopped.
absl::StatusOr<Instance> BringTo(const common::CallScope& call, const Ec2Api& api,
                                 const Timing& timing, const MachineSpec& machine, Power power,
                                 absl::Duration grace);

/// Deletes the instance and all that was made for the machine, whatever point its create reached.
absl::Status RemoveAll(const common::CallScope& call, const Ec2Api& api, const Timing& timing,
                       const MachineSpec& machine);

/// One create of one machine. Its arguments outlive it.
class InstanceCreator {
 public:
  InstanceCreator(DriverCall& call, const Ec2Api& api, const Timing& timing,
                  const MachineSpec& machine, const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// Chooses image, type and subnet, once and for all attempts.
  absl::Status ChooseOnce();
  /// The key pair that may log in; empty for none.
  absl::StatusOr<std::string> EnsureKeyPair();
  absl::StatusOr<std::vector<std::string>> EnsureGroups();
  absl::StatusOr<SecurityGroup> EnsureOwnGroup();
  absl::Status Open(const std::string& group_id);
  absl::StatusOr<Instance> EnsureInstance(const std::string& key_name,
                                          const std::vector<std::string>& groups);
  absl::StatusOr<Instance> RunInstance(InstanceSpec spec);
  absl::Status CheckSame(const Instance& instance) const;
  absl::StatusOr<Instance> AwaitRunning(const std::string& id);
  absl::Status EndedEarly(const Instance& instance);
  Tags MachineTags() const;

  DriverCall& call_;
  const Ec2Api& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string name_;
  State state_;
};

/// The state of a machine that was imported, from the object `Driver` of the original's
/// config.json. FAILED_PRECONDITION when it has no instance.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

}  // namespace machine::driver::amazonec2

#endif  // DRIVERS_AMAZONEC2_MACHINE_INSTANCE_H_
