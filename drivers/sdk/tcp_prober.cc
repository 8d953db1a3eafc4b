#include "drivers/sdk/tcp_prober.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "services/common/clock/clock.h"
#include "services/common/process/unique_fd.h"

namespace machine::driver {
namespace {

// How often a waiting loop looks whether the call was cancelled.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(50);

struct SocketAddress {
  sockaddr_storage storage;
  socklen_t size;
};

std::vector<SocketAddress> LookUp(const TcpAddress& address, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  std::vector<SocketAddress> found;
  if (getaddrinfo(address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &list) != 0) {
    return found;
  }
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress& socket_address = found.emplace_back();
    std::memcpy(&socket_address.storage, entry->ai_addr, entry->ai_addrlen);
    socket_address.size = entry->ai_addrlen;
  }
  freeaddrinfo(list);
  return found;
}

// Look-ups under way. Shared with the threads that do them, which may take longer than we wait.
struct Lookups {
  absl::Mutex mu;
  int pending ABSL_GUARDED_BY(mu) = 0;
  std::map<size_t, std::vector<SocketAddress>> found ABSL_GUARDED_BY(mu);
};

struct Attempt {
  size_t index;  // In the batch.
  common::UniqueFd fd;
};

enum class Connected { kYes, kNo, kPending };

Connected BeginConnect(const SocketAddress& address, common::UniqueFd& fd) {
  fd.reset(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Connected::kNo;
  // A reset instead of a FIN: a probe leaves no TIME_WAIT behind.
  const linger reset{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(fd.get(), raw, address.size) == 0) return Connected::kYes;
  return errno == EINPROGRESS ? Connected::kPending : Connected::kNo;
}

bool Succeeded(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

// The sockets of one batch.
class Connections {
 public:
  explicit Connections(size_t batch_size) : open_(batch_size, false) {}

  // Begins to connect to all of `targets`, the addresses of the batch's host `index`.
  void Begin(size_t index, const std::vector<SocketAddress>& targets) {
    for (const SocketAddress& target : targets) {
      Attempt attempt = {.index = index, .fd = {}};
      const Connected connected = BeginConnect(target, attempt.fd);
      if (connected == Connected::kYes) open_[index] = true;
      if (connected == Connected::kPending) attempts_.push_back(std::move(attempt));
    }
  }

  bool pending() const { return !attempts_.empty(); }
  const std::vector<bool>& open() const { return open_; }

  // Waits until one is decided, at most `timeout`.
  void Await(absl::Duration timeout) {
    std::vector<pollfd> fds;
    for (const Attempt& attempt : attempts_) fds.push_back({attempt.fd.get(), POLLOUT, 0});
    poll(fds.data(), fds.size(), static_cast<int>(absl::ToInt64Milliseconds(timeout)) + 1);
    std::vector<Attempt> waiting;
    for (size_t i = 0; i < fds.size(); ++i) {
      const size_t index = attempts_[i].index;
      if (open_[index]) continue;
      if (fds[i].revents == 0) {
        waiting.push_back(std::move(attempts_[i]));
      } else if (Succeeded(fds[i].fd)) {
        open_[index] = true;
      }
    }
    attempts_ = std::move(waiting);
  }

 private:
  std::vector<bool> open_;
  std::vector<Attempt> attempts_;
};

// Looks a name up on `executor`; `lookups` outlives the wait for it.
void BeginLookup(common::Executor& executor, const std::shared_ptr<Lookups>& lookups, size_t index,
                 const TcpAddress& address) {
  {
    absl::MutexLock lock(&lookups->mu);
    ++lookups->pending;
  }
  executor.Run([lookups, index, address] {
    std::vector<SocketAddress> found = LookUp(address, 0);
    absl::MutexLock lock(&lookups->mu);
    lookups->found[index] = std::move(found);
    --lookups->pending;
  });
}

// Begins to connect to what was found since the last time; false when nothing more is looked up.
bool TakeFound(Lookups& lookups, Connections& connections) {
  std::map<size_t, std::vector<SocketAddress>> found;
  bool pending = false;
  {
    absl::MutexLock lock(&lookups.mu);
    found.swap(lookups.found);
    pending = lookups.pending > 0;
  }
  for (const auto& [index, targets] : found) connections.Begin(index, targets);
  return pending;
}

}  // namespace

std::vector<bool> TcpProber::Probe(const common::CallScope& call,
                                   absl::Span<const TcpAddress> addresses, absl::Duration timeout) {
  const common::Clock& clock = common::Clock::Real();
  const absl::Duration end = clock.Steady() + timeout;
  Connections connections(addresses.size());
  const auto lookups = std::make_shared<Lookups>();
  bool names_pending = false;
  for (size_t i = 0; i < addresses.size(); ++i) {
    const std::vector<SocketAddress> numeric = LookUp(addresses[i], AI_NUMERICHOST);
    if (numeric.empty()) {
      names_pending = true;
      BeginLookup(resolvers_, lookups, i, addresses[i]);
    } else {
      connections.Begin(i, numeric);
    }
  }
  while (clock.Steady() < end && call.Check().ok()) {
    if (names_pending) names_pending = TakeFound(*lookups, connections);
    if (!connections.pending() && !names_pending) break;
    // Short while names are looked up: their arrival does not wake poll().
    const absl::Duration step = names_pending ? absl::Milliseconds(5) : kCancelPoll;
    connections.Await(std::clamp(end - clock.Steady(), absl::ZeroDuration(), step));
  }
  return connections.open();
}

}  // namespace machine::driver
