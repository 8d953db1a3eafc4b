// Tells the service manager that started this process (systemd, Type=notify) how it does.
#ifndef SERVICES_COMMON_PROCESS_SERVICE_MANAGER_H_
#define SERVICES_COMMON_PROCESS_SERVICE_MANAGER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace machine::common {

/// The protocol of sd_notify(3): a datagram to the socket that $NOTIFY_SOCKET names. Thread-safe.
class ServiceManager {
 public:
  /// Takes the variable out of the environment, so that children do not speak for this process.
  /// To be called before threads start.
  static ServiceManager FromEnvironment();

  explicit ServiceManager(std::string socket) : socket_(std::move(socket)) {}

  /// "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=…". Nothing happens where nobody listens.
  void Tell(absl::string_view state) const;

 private:
  std::string socket_;  // A path, or '@' and an abstract name; empty for none.
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_SERVICE_MANAGER_H_
