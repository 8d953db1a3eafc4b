#include "cli/connect/connector.h"

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::cli {

absl::StatusOr<common::Channel> RemoteConnector::Reconnect(const absl::Status& cause,
                                                           absl::Duration patience) {
  // The channel connects again by itself; all there is to do is to wait.
  if (patience > absl::ZeroDuration() && channel_.WaitUntilReady(patience).ok()) return channel_;
  return common::Annotate(cause,
                          absl::StrCat("cannot reach the orchestrator at ", channel_.address()));
}

}  // namespace machine::cli
