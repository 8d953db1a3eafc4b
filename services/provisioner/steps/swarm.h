// Swarms: containers of the standalone one, and the engine's own. Both by the engine's API.
#ifndef SERVICES_PROVISIONER_STEPS_SWARM_H_
#define SERVICES_PROVISIONER_STEPS_SWARM_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "machine/v1/machine.pb.h"
#include "provisioner/v1/provisioner.pb.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/steps/engine_check.h"

namespace machine::provisioner {

/// An engine and how to be let in.
struct EngineAccess {
  std::string docker_url;  ///< "tcp://HOST:PORT".
  EngineTls tls;
};

/// OK for swarm options that can work. FAILED_PRECONDITION PRECREATE_CHECK_FAILED for discovery by
/// token://, whose service is gone.
absl::Status CheckSwarmOptions(const machine::v1::SwarmOptions& swarm);

/// Runs the containers of the standalone swarm that `swarm` asks for: "swarm-agent-master" on a
/// master, and "swarm-agent" where discovery is a service to register with. A container that is as
/// it should be is left alone, another one replaced; with `certificates_changed` the master, which
/// has read the former ones, is restarted. The image is pulled where it is missing. Without an
/// image there is a warning and no container. `certificates` is the folder of the engine's on the
/// host. Errors: FAILED_PRECONDITION HOST_COMMAND_FAILED with the engine's words; those of
/// EngineProbe.
absl::Status RunStandaloneSwarm(common::CallScope& call, const EngineProbe& probe,
                                const EngineAccess& engine, const machine::v1::SwarmOptions& swarm,
                                absl::string_view certificates, bool certificates_changed);

/// As the rpc: begins, or joins, the engine's own swarm, and tells how others can join.
absl::StatusOr<::provisioner::v1::ConfigureSwarmResponse> ConfigureSwarm(
    common::CallScope& call, const EngineProbe& probe,
    const ::provisioner::v1::ConfigureSwarmRequest& request);

/// As the rpc: takes the node out of the engine's own swarm. A manager that is not the last one is
/// made a worker first, so that the others keep their majority.
absl::StatusOr<::provisioner::v1::LeaveSwarmResponse> LeaveSwarm(
    common::CallScope& call, const EngineProbe& probe,
    const ::provisioner::v1::LeaveSwarmRequest& request);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_SWARM_H_
