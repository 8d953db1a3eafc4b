#include "cli/commands/dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// 0, or the errno of why no connection came about.
int TryAddress(const addrinfo& address, absl::Duration timeout) {
  const common::UniqueFd socket_fd(
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return errno;
  if (connect(socket_fd.get(), address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd poll_fd = {.fd = socket_fd.get(), .events = POLLOUT, .revents = 0};
  if (poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) {
    return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

absl::Status TryConnect(absl::string_view host, absl::string_view port, absl::Duration timeout) {
  const auto failed = [&](absl::string_view why) {
    return absl::UnavailableError(absl::StrCat("dial tcp ", host, ":", port, ": ", why));
  };
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure =
      getaddrinfo(std::string(host).c_str(), std::string(port).c_str(), &hints, &found);
  if (failure != 0) return failed(gai_strerror(failure));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  int error = EHOSTUNREACH;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    error = TryAddress(*address, timeout);
    if (error == 0) return absl::OkStatus();
  }
  return failed(absl::AsciiStrToLower(common::ErrnoText(error)));
}

}  // namespace machine::cli
