#include "services/provisioner/service/running_calls.h"

#include <utility>
#include <vector>

#include "services/common/status/status.h"

namespace machine::provisioner {

absl::StatusOr<std::shared_ptr<void>> RunningCalls::Enter(std::function<void()> stop) {
  absl::MutexLock lock(&mu_);
  if (draining_) {
    return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_SHUTTING_DOWN,
                         "the provisioner is shutting down");
  }
  const int64_t id = next_id_++;
  calls_.emplace(id, std::move(stop));
  return std::shared_ptr<void>(nullptr, [this, id](void*) {
    std::function<void()> forgotten;  // What it holds is let go outside the lock.
    absl::MutexLock lock(&mu_);
    const auto it = calls_.find(id);
    forgotten = std::move(it->second);
    calls_.erase(it);
  });
}

bool RunningCalls::Drain(absl::Duration grace) {
  std::vector<std::function<void()>> stops;
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    for (const auto& [id, stop] : calls_) stops.push_back(stop);
  }
  for (const auto& stop : stops) stop();
  stops.clear();
  absl::MutexLock lock(&mu_);
  const auto idle = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return calls_.empty(); };
  return mu_.AwaitWithTimeout(absl::Condition(&idle), grace);
}

int64_t RunningCalls::entered() const {
  absl::MutexLock lock(&mu_);
  return next_id_;
}

}  // namespace machine::provisioner
