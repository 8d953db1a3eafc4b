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

absl::Status Orchestrator::Recover(const common::Channel& failed, const absl::Status& cause,
                                   absl::Duration patience) {
  absl::MutexLock lock(&mu_);
  // Another thread's call failed too, and that thread has connected again.
  if (channel_.has_value() && channel_->grpc() != failed.grpc()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(channel_, connector_.Reconnect(cause, patience));
  return absl::OkStatus();
}

}  // namespace machine::cli
