#include "cli/connect/orchestrator.h"

#include <utility>

#include "services/common/status/status.h"

namespace machine::cli {

absl::StatusOr<common::Channel> Orchestrator::channel() {
  absl::MutexLock lock(&mu_);
  if (!channel_.has_value()) {
    DM_ASSIGN_OR_RETURN(channel_, connector_.Connect());
  }
  return *channel_;
}

bool Orchestrator::LostBy(const absl::Status& status) const {
  const machine::v1::ErrorReason reason = common::ReasonOf(status);
  if (reason == machine::v1::ERROR_REASON_SHUTTING_DOWN) return true;
  if (reason != machine::v1::ERROR_REASON_UNSPECIFIED) return false;
  if (absl::IsUnavailable(status)) return true;
  return is_private() && (absl::IsCancelled(status) || absl::IsUnauthenticated(status));
}

absl::Status Orchestrator::Recover(const common::Channel& failed, const absl::Status& cause,
                                   absl::Duration patience) {
  absl::MutexLock lock(&mu_);
  // Another thread's call failed too, and that thread has connected again.
  if (channel_.has_value() && channel_->grpc() != failed.grpc()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(channel_, connector_.Reconnect(cause, patience));
  return absl::OkStatus();
}

}  // namespace machine::cli
