// Calls of an engine's API whose answers are JSON.
#ifndef SERVICES_PROVISIONER_STEPS_ENGINE_API_H_
#define SERVICES_PROVISIONER_STEPS_ENGINE_API_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/common/rpc/call_scope.h"
#include "services/provisioner/steps/engine_check.h"
#include "services/provisioner/steps/swarm.h"

namespace machine::provisioner {

/// The engine's API as a swarm needs it. Not thread-safe.
class EngineApi {
 public:
  /// All outlive it.
  EngineApi(common::CallScope& call, const EngineProbe& probe, const EngineAccess& engine)
      : call_(call), probe_(probe), engine_(engine) {}

  /// The answer's JSON; null where it has none. NOT_FOUND for 404; FAILED_PRECONDITION
  /// HOST_COMMAND_FAILED with the engine's own words, "DOING: …", for other errors; those of
  /// EngineProbe.
  absl::StatusOr<nlohmann::json> Get(absl::string_view path, absl::string_view doing);
  absl::StatusOr<nlohmann::json> Post(absl::string_view path, const nlohmann::json& body,
                                      absl::string_view doing);
  absl::Status Delete(absl::string_view path, absl::string_view doing);
  /// Pulls an image. Blocks until it is there.
  absl::Status Pull(absl::string_view image);

 private:
  absl::StatusOr<nlohmann::json> Send(absl::string_view method, absl::string_view path,
                                      const std::string& body, absl::string_view doing);

  common::CallScope& call_;
  const EngineProbe& probe_;
  const EngineAccess& engine_;
};

/// The text at a JSON pointer ("/Swarm/NodeID"); empty where there is none.
std::string TextAt(const nlohmann::json& json, const char* pointer);
/// Whether the engine with this answer of "/info" manages a swarm.
bool ManagesSwarm(const nlohmann::json& info);

/// FAILED_PRECONDITION HOST_COMMAND_FAILED of the step "swarm".
absl::Status SwarmError(absl::string_view message);

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_STEPS_ENGINE_API_H_
