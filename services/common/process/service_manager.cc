#include "services/common/process/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>

#include "services/common/process/unique_fd.h"

namespace machine::common {

ServiceManager ServiceManager::FromEnvironment() {
  const char* const socket = std::getenv("NOTIFY_SOCKET");
  ServiceManager manager(socket == nullptr ? "" : socket);
  unsetenv("NOTIFY_SOCKET");
  return manager;
}

void ServiceManager::Tell(absl::string_view state) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() > sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  socket_.copy(address.sun_path, sizeof(address.sun_path));
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // A manager that is gone is no reason to stop the work.
  (void)sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size()));
}

}  // namespace machine::common
