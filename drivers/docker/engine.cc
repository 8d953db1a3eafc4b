#include "drivers/docker/engine.h"

#include "services/common/status/status.h"

namespace machine::driver::docker {

std::optional<Privileges> Engine::known_privileges() const {
  absl::MutexLock lock(&mu_);
  return privileges_;
}

void Engine::RememberPrivileges(const Privileges& privileges) {
  absl::MutexLock lock(&mu_);
  privileges_ = privileges;
}

absl::StatusOr<std::shared_ptr<Engine>> Engines::At(const Endpoint& endpoint) {
  absl::MutexLock lock(&mu_);
  for (const std::shared_ptr<Engine>& engine : engines_) {
    if (engine->endpoint() == endpoint) return engine;
  }
  DM_ASSIGN_OR_RETURN(std::unique_ptr<EngineTransport> transport, make_transport_(endpoint));
  return engines_.emplace_back(std::make_shared<Engine>(endpoint, std::move(transport)));
}

}  // namespace machine::driver::docker
