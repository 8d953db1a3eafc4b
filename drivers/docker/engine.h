// The engines that machines run on, each connected to once.
#ifndef DRIVERS_DOCKER_ENGINE_H_
#define DRIVERS_DOCKER_ENGINE_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "drivers/docker/endpoint.h"
#include "drivers/docker/engine_api.h"
#include "drivers/docker/engine_transport.h"
#include "drivers/docker/state.pb.h"

namespace machine::driver::docker {

/// A Docker Engine and what was learnt about it. Thread-safe.
class Engine {
 public:
  Engine(Endpoint endpoint, std::unique_ptr<EngineTransport> transport)
      : endpoint_(std::move(endpoint)), api_(endpoint_.ToString(), std::move(transport)) {}

  const Endpoint& endpoint() const { return endpoint_; }
  EngineApi& api() { return api_; }

  /// The rights that a machine's container got here last; no value before the first.
  std::optional<Privileges> known_privileges() const;
  void RememberPrivileges(const Privileges& privileges);

 private:
  const Endpoint endpoint_;
  EngineApi api_;
  mutable absl::Mutex mu_;
  std::optional<Privileges> privileges_ ABSL_GUARDED_BY(mu_);
};

/// All engines this process has met; one for each endpoint with its credentials. Thread-safe.
class Engines {
 public:
  explicit Engines(EngineTransportFactory make_transport)
      : make_transport_(std::move(make_transport)) {}

  absl::StatusOr<std::shared_ptr<Engine>> At(const Endpoint& endpoint);

 private:
  absl::Mutex mu_;
  EngineTransportFactory make_transport_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Engine>> engines_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver::docker

#endif  // DRIVERS_DOCKER_ENGINE_H_
