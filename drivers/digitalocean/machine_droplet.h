// What a machine is at DigitalOcean: a droplet and what belongs to it, and how they are found.
#ifndef DRIVERS_DIGITALOCEAN_MACHINE_DROPLET_H_
#define DRIVERS_DIGITALOCEAN_MACHINE_DROPLET_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drivers/digitalocean/digitalocean_api.h"
#include "drivers/digitalocean/settings.h"
#include "drivers/digitalocean/state.pb.h"
#include "drivers/sdk/cloud/create_once.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::digitalocean {

/// How often and how long the provider is asked.
struct Timing {
  Backoff poll;
  /// Before a request that failed is sent again.
  Backoff retry = {absl::Milliseconds(300), absl::Seconds(10)};
  Settling settling;
  /// What a guest gets to shut down, unless told otherwise.
  absl::Duration grace = absl::Minutes(1);
};

/// The state of a machine whose droplet has `status`.
MachineState StateOfDroplet(absl::string_view status);

/// State, endpoint and id of a machine.
Observation ObservationOf(const Droplet& droplet, const Settings& settings);

/// The state of a machine that was imported, from the object `Driver` of the original's
/// config.json. FAILED_PRECONDITION when it has no droplet.
absl::StatusOr<State> ImportedState(absl::string_view driver_json);

/// The droplet of a machine: by the id in its state, else by its tag.
absl::StatusOr<std::optional<Droplet>> FindDroplet(const common::CallScope& call,
                                                   const DigitalOceanApi& api,
                                                   const MachineSpec& machine);

/// The same, or InstanceGone().
absl::StatusOr<Droplet> RequireDroplet(const common::CallScope& call, const DigitalOceanApi& api,
                                       const MachineSpec& machine);

/// Brings the droplet to `status` by an action of `type`, unless it is there, and waits `grace`.
/// Errors: InstanceGone(); DEADLINE_EXCEEDED STEP_TIMEOUT when it does not get there.
absl::StatusOr<Droplet> BringTo(const common::CallScope& call, const DigitalOceanApi& api,
                                const Timing& timing, const MachineSpec& machine,
                                absl::string_view status, absl::string_view type,
                                absl::Duration grace);

/// Has the droplet carry out an action of `type`, and waits for its end.
absl::Status RunAction(const common::CallScope& call, const DigitalOceanApi& api,
                       const Timing& timing, int64_t droplet_id, absl::string_view type);

/// Deletes the droplet and all that was made for the machine, whatever point its create reached.
absl::Status RemoveAll(const common::CallScope& call, const DigitalOceanApi& api,
                       const Timing& timing, const MachineSpec& machine);

/// One create of one machine. Its arguments outlive it.
class DropletCreator {
 public:
  DropletCreator(DriverCall& call, const DigitalOceanApi& api, const Timing& timing,
                 const MachineSpec& machine, const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// The keys that may log in: the machine's, and the one that the user named.
  absl::StatusOr<std::vector<int64_t>> EnsureKeys();
  absl::StatusOr<SshKey> EnsureMachineKey();
  absl::Status EnsureFirewall();
  /// Chooses image and size, once and for all attempts.
  absl::Status ChooseOnce();
  absl::StatusOr<Droplet> EnsureDroplet(const std::vector<int64_t>& keys);
  /// The one droplet of the machine; further ones, made when an answer was lost, are deleted.
  absl::StatusOr<std::optional<Droplet>> KeepOne();
  absl::Status CheckSame(const Droplet& droplet) const;
  absl::StatusOr<Droplet> AwaitRunning(int64_t id);

  DriverCall& call_;
  const DigitalOceanApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string tag_;
  State state_;
};

}  // namespace machine::driver::digitalocean

#endif  // DRIVERS_DIGITALOCEAN_MACHINE_DROPLET_H_
