// Create, from whatever an earlier attempt left behind to a running container.
#ifndef DRIVERS_DOCKER_MACHINE_CREATOR_H_
#define DRIVERS_DOCKER_MACHINE_CREATOR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "drivers/docker/engine.h"
#include "drivers/docker/machine_container.h"
#include "drivers/docker/settings.h"
#include "drivers/docker/state.pb.h"
#include "drivers/sdk/driver.h"

namespace machine::driver::docker {

/// The container of machine `uid`; nothing when the engine has none.
absl::StatusOr<std::optional<Container>> FindContainer(const common::CallScope& call,
                                                       EngineApi& api, absl::string_view uid);

/// Waits until no container carries every one of `labels`.
absl::Status AwaitRemoved(const common::CallScope& call, EngineApi& api, const Labels& labels);

/// The observation of a container that was just started. Errors: FAILED_PRECONDITION
/// HOST_COMMAND_FAILED with the end of its output when it has already ended.
absl::StatusOr<Observation> ObserveStarted(const common::CallScope& call, Engine& engine,
                                           absl::string_view uid);

/// One create of one machine. Its arguments outlive it.
class MachineCreator {
 public:
  MachineCreator(DriverCall& call, Engine& engine, const MachineSpec& machine,
                 const Settings& settings);

  absl::StatusOr<Observation> Run();

 private:
  /// What an attempt to start the container came to.
  enum class Outcome { kRuns, kMakeAnotherOne };

  absl::StatusOr<Container> AdoptOrCreateContainer();
  absl::StatusOr<Container> CreateContainer();
  absl::Status CreateVolumes();
  absl::StatusOr<Outcome> BringUp(const Container& container);
  absl::StatusOr<Outcome> StartContainer(const Container& container);
  absl::Status PutKey(absl::string_view id);
  absl::Status RemoveContainer(const Container& container);
  /// Finds out which capabilities a container can get here.
  absl::Status LearnCapabilities();
  absl::StatusOr<uint64_t> AskBoundingSet(absl::string_view probe_id);

  DriverCall& call_;
  Engine& engine_;
  EngineApi& api_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const Identity identity_;
  State state_;
  bool privileges_refused_ = false;
  int port_attempt_ = 0;
};

/// The tar archive that lets `public_key` log in as `user`; `passwd` is the image's /etc/passwd.
/// Errors: FAILED_PRECONDITION when it has no such user.
absl::StatusOr<std::string> KeyArchive(absl::string_view user, absl::string_view passwd,
                                       absl::string_view public_key);

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_MACHINE_CREATOR_H_
