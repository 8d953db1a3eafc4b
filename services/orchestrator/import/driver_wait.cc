#include "services/orchestrator/import/driver_wait.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace machine::orchestrator {

absl::StatusOr<std::shared_ptr<DriverConnection>> WaitForDriver(const EngineParts& parts,
                                                                absl::string_view name) {
  struct Waiting {
    absl::Notification answered;
    absl::StatusOr<std::shared_ptr<DriverConnection>> driver = absl::UnknownError("");
  };
  const auto waiting = std::make_shared<Waiting>();
  parts.drivers.GetDriver(name,
                          [waiting](absl::StatusOr<std::shared_ptr<DriverConnection>> driver) {
                            waiting->driver = std::move(driver);
                            waiting->answered.Notify();
                          });
  waiting->answered.WaitForNotification();
  return waiting->driver;
}

}  // namespace machine::orchestrator
