// Which failures of a step are worth another attempt.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_RETRY_POLICY_H_
#define SERVICES_ORCHESTRATOR_ENGINE_RETRY_POLICY_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace machine::orchestrator {

/// How long to wait before the next attempt; nullopt when there should be none. `attempt` counts
/// from 1. A RetryInfo in the status is obeyed; else the delay doubles from 0.2 s to 10 s.
std::optional<absl::Duration> RetryDelay(const absl::Status& status, int attempt);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_RETRY_POLICY_H_
