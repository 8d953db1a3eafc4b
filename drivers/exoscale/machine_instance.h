// What a machine is at Exoscale, and how it is found, made, brought to a state and removed.
#ifndef DRIVERS_EXOSCALE_MACHINE_INSTANCE_H_
#define DRIVERS_EXOSCALE_MACHINE_INSTANCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/exoscale/exoscale_api.h"
#include "drivers/exoscale/settings.h"
#include "drivers/exoscale/state.pb.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::exoscale {

/// Labels of every instance of ours: the machine's uid, and the orchestrator's.
inline constexpr char kUidLabel[] = "machine-uid";
inline constexpr char kOrchestratorLabel[] = "machine-orchestrator";
/// Description of what this driver made and may delete once nobody uses it.
inline constexpr absl::string_view kMadeByUs = "made by docker-machine";

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again, and between looks at an operation.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(2);
};

/// The state of a machine whose instance is in `state`.
MachineState StateOfInstance(absl::string_view state);

/// State, endpoint and id of a machine. `lease` is its address in the private network, where it is
/// reached by that.
Observation ObservationOf(const Instance& instance, const Settings& settings, const State& state,
                          absl::string_view lease);

/// The address by which a machine with --exoscale-private-address-only is reached; empty for others
/// and as long as it has none.
absl::StatusOr<std::string> LeaseOf(const common::CallScope& call, const ExoscaleApi& api,
                                    const Settings& settings, absl::string_view instance_id);

/// The instances in `all` that were made for `uid`, the one with `known_id` first.
std::vector<Instance> InstancesOf(std::vector<Instance> all, absl::string_view uid,
                                  absl::string_view known_id);

/// The instance of a machine: by the id in its state, else by its label.
absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                     const ExoscaleApi& api,
                                                     const MachineSpec& machine);

/// Deletes all that was made for the machine, whatever point its create reached, and groups of ours
/// that nobody uses any longer.
absl::Status RemoveAll(const common::CallScope& call, const ExoscaleApi& api, const Timing& timing,
                       const MachineSpec& machine);

/// The state of a machine that was imported, from its `Driver` object in the original's
/// config.json. Errors: FAILED_PRECONDITION INSTANCE_GONE when it names no instance.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// One create of one machine. Its arguments outlive it.
class InstanceCreator {
 public:
  InstanceCreator(DriverCall& call, const ExoscaleApi& api, const Timing& timing,
                  const MachineSpec& machine, const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// Resolves the instance type, and chooses the template once and for all attempts.
  absl::Status Choose();
  /// The names of the keys that may log in.
  absl::StatusOr<std::vector<std::string>> EnsureKeys();
  /// The ids of groups; those that do not exist are made.
  absl::StatusOr<std::vector<std::string>> EnsureSecurityGroups();
  absl::Status EnsureRules(const std::string& group_id);
  absl::StatusOr<std::vector<std::string>> EnsureAffinityGroups();
  absl::StatusOr<std::string> EnsureNamed(
      const std::string& name, absl::FunctionRef<absl::StatusOr<std::optional<std::string>>()> find,
      absl::FunctionRef<absl::Status()> create);
  absl::StatusOr<Instance> EnsureInstance(InstanceSpec spec);
  /// The one instance of the machine; further ones, made when an answer was lost, are deleted.
  absl::StatusOr<std::optional<Instance>> KeepOne();
  absl::Status CheckSame(const Instance& instance) const;
  absl::StatusOr<Instance> AwaitRunning(const std::string& id);
  /// Why the instance never came to be, if its operation says so.
  absl::Status WhyMissing() const;
  /// Attaches the private network and waits for an address there; empty without a network.
  absl::StatusOr<std::string> EnsureLease(const std::string& instance_id);

  DriverCall& call_;
  const ExoscaleApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string tag_;
  State state_;
  InstanceType type_;
  /// Of the request that made the instance; empty where it was found.
  std::string operation_id_;
};

}  // namespace machine::driver::exoscale

#endif  // DRIVERS_EXOSCALE_MACHINE_INSTANCE_H_
