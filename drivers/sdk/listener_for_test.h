// TCP ports on loopback for tests of what probes them.
#ifndef DRIVERS_SDK_LISTENER_FOR_TEST_H_
#define DRIVERS_SDK_LISTENER_FOR_TEST_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <vector>

#include "services/common/process/unique_fd.h"

namespace machine::driver {

/// A port of 127.0.0.1 that takes connections for as long as the object lives, or never answers.
class ListenerForTest {
 public:
  enum class Kind { kOpen, kSilent };

  explicit ListenerForTest(Kind kind = Kind::kOpen)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    const bool open = bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                      listen(fd_.get(), kind == Kind::kOpen ? 1024 : 0) == 0 &&
                      getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
    port_ = open ? ntohs(address.sin_port) : 0;
    // With its queue full, Linux drops what else asks for a connection, as a dead host would.
    while (kind == Kind::kSilent && open) {
      common::UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      connect(client.get(), reinterpret_cast<sockaddr*>(&address), size);
      pollfd ready = {client.get(), POLLOUT, 0};
      const bool answered = poll(&ready, 1, 100) > 0;
      clients_.push_back(std::move(client));
      if (!answered) break;
    }
  }

  /// 0 when it could not listen.
  int port() const { return port_; }

  /// Whether a client has connected that was not counted before.
  bool WasAsked() const {
    pollfd ready = {fd_.get(), POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return false;
    return common::UniqueFd(accept(fd_.get(), nullptr, nullptr)).valid();
  }

 private:
  common::UniqueFd fd_;
  int port_ = 0;
  std::vector<common::UniqueFd> clients_;
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_LISTENER_FOR_TEST_H_
