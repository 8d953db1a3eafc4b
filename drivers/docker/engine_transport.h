// How requests get to a Docker Engine.
#ifndef DRIVERS_DOCKER_ENGINE_TRANSPORT_H_
#define DRIVERS_DOCKER_ENGINE_TRANSPORT_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "drivers/docker/endpoint.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver::docker {

struct EngineRequest {
  /// "GET", "POST", "PUT" or "DELETE".
  std::string method;
  /// Path and query, from the first slash.
  std::string target;
  std::string content_type;
  std::string body;
  /// How long the engine may take for the whole answer.
  absl::Duration timeout = absl::Seconds(30);
};

struct EngineResponse {
  int status = 0;
  std::string body;
};

/// Connection to one engine. Thread-safe; blocks.
class EngineTransport {
 public:
  virtual ~EngineTransport() = default;

  /// Sends one request, once. Any HTTP status is an answer. Errors: UNAVAILABLE when the engine
  /// cannot be reached or the answer does not come whole, UNAUTHENTICATED when TLS fails, CANCELLED
  /// or DEADLINE_EXCEEDED. After an error the engine may have done what was asked or not.
  virtual absl::StatusOr<EngineResponse> Send(const common::CallScope& call,
                                              const EngineRequest& request) = 0;
};

/// Makes the connection to an engine; opens nothing yet.
using EngineTransportFactory =
    absl::AnyInvocable<absl::StatusOr<std::unique_ptr<EngineTransport>>(const Endpoint& endpoint)>;

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_ENGINE_TRANSPORT_H_
