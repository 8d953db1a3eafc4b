// A port on this machine that accepts connections and says nothing.
#ifndef TESTS_INTEGRATION_LISTENER_H_
#define TESTS_INTEGRATION_LISTENER_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/process/unique_fd.h"

namespace machine::tests {

/// Open as long as it lives. The kernel accepts what comes, up to its backlog.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd_.get(), generic, size) != 0 || listen(fd_.get(), SOMAXCONN) != 0 ||
        getsockname(fd_.get(), generic, &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
  }

  int port() const { return port_; }
  /// For who answers in its place.
  int fd() const { return fd_.get(); }
  std::string url() const { return absl::StrCat("tcp://127.0.0.1:", port_); }
  /// Nobody is let in any more; the port stays ours until the end, so nobody else takes it.
  void Refuse() { shutdown(fd_.get(), SHUT_RD); }

 private:
  common::UniqueFd fd_;
  int port_ = 0;
};

}  // namespace machine::tests

#endif  // TESTS_INTEGRATION_LISTENER_H_
