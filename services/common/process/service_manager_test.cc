#include "services/common/process/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "services/common/process/unique_fd.h"

namespace machine::common {
namespace {

// A socket with an abstract name that the kernel chooses: '@' and that name.
std::string Bind(const UniqueFd& fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(sa_family_t)), 0);
  socklen_t size = sizeof(address);
  EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const size_t length = size - offsetof(sockaddr_un, sun_path);
  return "@" + std::string(address.sun_path + 1, length - 1);
}

TEST(ServiceManagerTest, TellsAndKeepsTheSocketFromChildren) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  setenv("NOTIFY_SOCKET", Bind(fd).c_str(), 1);
  const ServiceManager manager = ServiceManager::FromEnvironment();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  manager.Tell("READY=1");
  char text[32];
  EXPECT_EQ(std::string(text, static_cast<size_t>(recv(fd.get(), text, sizeof(text), 0))),
            "READY=1");
}

TEST(ServiceManagerTest, NobodyThereIsNoError) {
  ServiceManager("").Tell("READY=1");
  ServiceManager("/nowhere/socket").Tell("READY=1");
  ServiceManager(std::string(200, 'x')).Tell("READY=1");
}

}  // namespace
}  // namespace machine::common
