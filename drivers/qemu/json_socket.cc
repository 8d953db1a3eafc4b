#include "drivers/qemu/json_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

constexpr size_t kLongestLine = 1 << 20;
constexpr absl::Duration kConnectAgain = absl::Milliseconds(20);

absl::Status NoAnswer() { return absl::DeadlineExceededError("no answer in time"); }

}  // namespace

absl::StatusOr<JsonSocket> JsonSocket::Connect(const std::string& folder, absl::string_view name,
                                               absl::Time deadline) {
  // A socket's address has room for 107 bytes; this one is short whatever the folder is called.
  const common::UniqueFd at(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at.valid()) return absl::ErrnoToStatus(errno, folder);
  const std::string path = absl::StrCat("/proc/self/fd/", at.get(), "/", name);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return absl::InvalidArgumentError(path);
  std::copy(path.begin(), path.end(), address.sun_path);
  while (true) {
    common::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return absl::ErrnoToStatus(errno, "making a socket");
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return JsonSocket(std::move(fd));
    }
    if (errno == ECONNREFUSED || errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat("nothing listens at ", folder, "/", name));
    }
    // Others wait for their turn already.
    if (errno != EAGAIN) return absl::ErrnoToStatus(errno, absl::StrCat(folder, "/", name));
    if (absl::Now() + kConnectAgain > deadline) return NoAnswer();
    absl::SleepFor(kConnectAgain);
  }
}

absl::Status JsonSocket::Await(short events, absl::Time deadline) {
  pollfd fd = {.fd = fd_.get(), .events = events, .revents = 0};
  while (true) {
    const absl::Duration left =
        std::clamp(deadline - absl::Now(), absl::ZeroDuration(), absl::Minutes(1));
    const int ready = poll(&fd, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "waiting for a socket");
    if (absl::Now() >= deadline) return NoAnswer();
  }
}

absl::Status JsonSocket::Send(const nlohmann::json& message, absl::Time deadline) {
  std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  for (absl::string_view rest = text; !rest.empty();) {
    const ssize_t sent = send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      rest.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      DM_RETURN_IF_ERROR(Await(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return absl::UnavailableError("the other side is gone");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<nlohmann::json> JsonSocket::Receive(absl::Time deadline) {
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      // The agent's answer to the first request begins with a byte that is no text.
      const size_t begin = std::min(buffer_.find('{'), end);
      nlohmann::json message = nlohmann::json::parse(buffer_.substr(begin, end - begin),
                                                     /*cb=*/nullptr, /*allow_exceptions=*/false);
      buffer_.erase(0, end + 1);
      if (message.is_object()) return message;
      continue;
    }
    if (buffer_.size() > kLongestLine) return absl::ResourceExhaustedError("a line without end");
    char bytes[4096];
    const ssize_t count = recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (count > 0) {
      buffer_.append(bytes, static_cast<size_t>(count));
    } else if (count < 0 && errno == EAGAIN) {
      DM_RETURN_IF_ERROR(Await(POLLIN, deadline));
    } else if (count == 0 || errno != EINTR) {
      return absl::UnavailableError("the other side is gone");
    }
  }
}

}  // namespace machine::driver::qemu
