#include "services/orchestrator/store/store.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace machine::orchestrator {

absl::Status Store::WriteAndWait(Work work) {
  absl::Status result;
  absl::Notification written;
  Write(std::move(work), [&](absl::Status status) {
    result = std::move(status);
    written.Notify();
  });
  written.WaitForNotification();
  return result;
}

}  // namespace machine::orchestrator
