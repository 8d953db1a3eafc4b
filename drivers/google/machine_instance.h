// What a machine is at Google: an instance and what belongs to it, and how they are found.
#ifndef DRIVERS_GOOGLE_MACHINE_INSTANCE_H_
#define DRIVERS_GOOGLE_MACHINE_INSTANCE_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/google/google_api.h"
#include "drivers/google/settings.h"
#include "drivers/google/state.pb.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::gce {

/// Labels of instances and disks. Their values are the machine's uid, the orchestrator's id, and
/// kLabelled.
inline constexpr char kUidLabel[] = "machine-uid";
inline constexpr char kOrchestratorLabel[] = "machine-orchestrator";
inline constexpr char kMachineLabel[] = "docker-machine";
/// On an instance that was there before its machine: never deleted.
inline constexpr char kAdoptedLabel[] = "machine-adopted";
inline constexpr char kLabelled[] = "yes";

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise; Google powers it off after 90 seconds.
  absl::Duration grace = absl::Minutes(3);
};

/// Ids of the requests of one call, each of which Google carries out once however often it comes:
/// computed from machine, operation, attempt, what is asked for, and how many went before. An
/// attempt that is repeated by mistake sends the same ids, and gets the answers of the first: so
/// whoever has asked looks whether it is so, and asks once more if not. Not thread-safe.
class RequestIds {
 public:
  explicit RequestIds(const DriverCall& call);

  /// A UUID for the next request for `purpose`.
  std::string Next(absl::string_view purpose);

 private:
  const std::string prefix_;
  int count_ = 0;
};

/// Name of the machine's instance and disk: its own and the beginning of its uid, so that two
/// orchestrators can each have a machine "dev". With --google-use-existing its own alone.
std::string InstanceName(const MachineSpec& machine, const Settings& settings);

/// The state of a machine whose instance has `status`.
MachineState StateOfInstance(absl::string_view status);

/// State, endpoint and id of a machine.
Observation ObservationOf(const Instance& instance, const Settings& settings);

/// The state of a machine whose `Driver` of another docker-machine's config.json is `driver_json`.
/// Errors: INSTANCE_GONE when it names no instance.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// The machine's instance, by name, if it carries the machine's uid or was imported.
absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                     const GoogleApi& api,
                                                     const MachineSpec& machine,
                                                     const Settings& settings);

/// The same, or InstanceGone().
absl::StatusOr<Instance> RequireInstance(const common::CallScope& call, const GoogleApi& api,
                                         const MachineSpec& machine, const Settings& settings);

/// Waits for the end of an operation. Errors: what it failed with.
absl::Status AwaitOperation(const common::CallScope& call, const GoogleApi& api,
                            const Timing& timing, const Operation& operation);
/// The same, at once OK without a value: there was nothing to do.
absl::Status AwaitOperation(const common::CallScope& call, const GoogleApi& api,
                            const Timing& timing, const std::optional<Operation>& operation);

/// Changes an instance by `send`, which gets it as it is now, until there is nothing to do, which
/// `change` says by false; again where somebody else has changed it in between.
absl::Status ChangeInstance(const common::CallScope& call, const GoogleApi& api,
                            const Timing& timing, absl::string_view zone, absl::string_view name,
                            absl::FunctionRef<bool(Instance&)> change,
                            absl::FunctionRef<absl::StatusOr<Operation>(const Instance&)> send);

/// Deletes the instance and all that was made for the machine, whatever point its create reached.
/// An instance that was adopted gets back what it had.
absl::Status RemoveAll(DriverCall& call, const GoogleApi& api, const Timing& timing,
                       const MachineSpec& machine, const Settings& settings);

/// One create of one machine. Its arguments outlive it.
class InstanceCreator {
 public:
  InstanceCreator(DriverCall& call, const GoogleApi& api, const Timing& timing,
                  const MachineSpec& machine, const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// What `find` finds, or what is there after `send` was carried out.
  template <typename Thing>
  absl::StatusOr<Thing> MakeSure(absl::FunctionRef<absl::StatusOr<std::optional<Thing>>()> find,
                                 absl::FunctionRef<absl::StatusOr<Operation>()> send);
  absl::Status EnsureFirewall();
  /// The static address to use; empty for one of Google's choice.
  absl::StatusOr<std::string> EnsureAddress();
  /// Chooses image and machine type, once and for all attempts.
  absl::Status ChooseOnce();
  absl::StatusOr<Instance> EnsureInstance();
  absl::StatusOr<Instance> CreateInstance();
  InstanceSpec Spec(std::string external_ip) const;
  /// Puts key, tag and labels onto the user's instance.
  absl::StatusOr<Instance> AdoptInstance();
  absl::Status CheckSame(const Instance& instance) const;
  absl::StatusOr<Instance> AwaitRunning();
  std::string SshKeys() const;

  DriverCall& call_;
  const GoogleApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  RequestIds ids_;
  State state_;
};

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_MACHINE_INSTANCE_H_
