// What a machine is at SoftLayer, and how it is found, made, brought to a state and removed.
#ifndef DRIVERS_SOFTLAYER_MACHINE_INSTANCE_H_
#define DRIVERS_SOFTLAYER_MACHINE_INSTANCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"
#include "drivers/softlayer/settings.h"
#include "drivers/softlayer/softlayer_api.h"
#include "drivers/softlayer/state.pb.h"

namespace machine::driver::softlayer {

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll = {absl::Seconds(2), absl::Seconds(15)};
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(2);
};

/// The word for what a guest does: that of its power, "PROVISIONING" until it has been given out,
/// or "RECLAIMING" once it is taken back.
std::string StateWordOf(const Guest& guest);

/// The state of a machine for such a word.
MachineState StateOfGuest(absl::string_view word);

/// State, endpoint and id of a machine.
Observation ObservationOf(const Guest& guest, const Settings& settings);

/// The last line of the user data of every guest of ours: the one thing of an order that names its
/// machine, and that comes back with the list. Begins with "#", for which scripts and cloud-init do
/// not care.
std::string MarkOf(absl::string_view uid, absl::string_view orchestrator_id);

/// Whom a guest was made for; both empty for a guest of others.
struct Mark {
  std::string uid;
  std::string orchestrator_id;
};
Mark ReadMark(const Guest& guest);

/// The guest of a machine: by the id in its state, else by its mark.
absl::StatusOr<std::optional<Guest>> FindGuest(const common::CallScope& call,
                                               const SoftLayerApi& api, const MachineSpec& machine);

/// Those of `all` that were made for `uid`, the one with `known_id` first.
std::vector<Guest> GuestsOf(std::vector<Guest> all, absl::string_view uid, int64_t known_id);

/// Deletes all that was made for the machine, whatever point its create reached.
absl::Status RemoveAll(const common::CallScope& call, const SoftLayerApi& api, const Timing& timing,
                       const MachineSpec& machine);

/// The state of a machine that was imported, from its `Driver` object in the original's
/// config.json. Errors: FAILED_PRECONDITION INSTANCE_GONE when it names no guest.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// One create of one machine. Its arguments outlive it.
class InstanceCreator {
 public:
  InstanceCreator(DriverCall& call, const SoftLayerApi& api, const Timing& timing,
                  const MachineSpec& machine, const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// Chooses data center and image, once and for all attempts.
  absl::Status ChooseOnce();
  absl::StatusOr<std::vector<int64_t>> EnsureKeys();
  /// The id of the machine's security group.
  absl::StatusOr<int64_t> EnsureSecurityGroup();
  absl::StatusOr<Guest> EnsureGuest(const GuestSpec& spec);
  /// The one guest of the machine; further ones, made when an answer was lost, are deleted.
  absl::StatusOr<std::optional<Guest>> KeepOne();
  absl::Status CheckSame(const Guest& guest) const;
  absl::StatusOr<Guest> AwaitRunning(int64_t id);

  DriverCall& call_;
  const SoftLayerApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string tag_;
  State state_;
};

}  // namespace machine::driver::softlayer

#endif  // DRIVERS_SOFTLAYER_MACHINE_INSTANCE_H_
