#include "cli/commands/dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// A blocking connection, or -1 with errno set to why there is none.
common::UniqueFd DialAddress(const addrinfo& address, absl::Duration timeout) {
  common::UniqueFd socket_fd(
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return {};
  int error = connect(socket_fd.get(), address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd poll_fd = {.fd = socket_fd.get(), .events = POLLOUT, .revents = 0};
    if (poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) {
      error = ETIMEDOUT;
    } else {
      socklen_t size = sizeof error;
      getsockopt(socket_fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error != 0) {
    socket_fd.reset();
    errno = error;
    return {};
  }
  const int on = 1;
  setsockopt(socket_fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(socket_fd.get(), F_SETFL, fcntl(socket_fd.get(), F_GETFL) & ~O_NONBLOCK);
  return socket_fd;
}

}  // namespace

absl::StatusOr<common::UniqueFd> Dial(absl::string_view host, absl::string_view port,
                                      absl::Duration timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure =
      getaddrinfo(std::string(host).c_str(), std::string(port).c_str(), &hints, &found);
  if (failure != 0) return absl::UnavailableError(gai_strerror(failure));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int error = EHOSTUNREACH;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    common::UniqueFd connection = DialAddress(*address, timeout);
    if (connection.valid()) return connection;
    error = errno;
  }
  return absl::UnavailableError(common::ErrnoText(error));
}

absl::Status TryConnect(absl::string_view host, absl::string_view port, absl::Duration timeout) {
  absl::Status status = Dial(host, port, timeout).status();
  if (status.ok()) return status;
  return absl::UnavailableError(
      absl::StrCat("dial tcp ", host, ":", port, ": ", absl::AsciiStrToLower(status.message())));
}

}  // namespace machine::cli
