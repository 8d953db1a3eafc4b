#include "services/common/ssh/tcp_dialer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "services/common/ssh/call_limits.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

absl::StatusOr<std::vector<HostAddress>> LookUp(const std::string& host, int port, int flags) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (error != 0) {
    return Unreachable(
        absl::StrCat("connecting to ", HostAndPort(host, port), ": ", gai_strerror(error)));
  }
  std::vector<HostAddress> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    HostAddress& address = addresses.emplace_back();
    std::memcpy(&address.address, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
  }
  freeaddrinfo(found);
  return addresses;
}

// Outlives its waiter when that gives up first.
struct PendingLookUp {
  absl::Mutex mu;
  std::optional<absl::StatusOr<std::vector<HostAddress>>> result ABSL_GUARDED_BY(mu);
};

}  // namespace

std::string HostAndPort(absl::string_view host, int port) {
  return host.find(':') == absl::string_view::npos ? absl::StrCat(host, ":", port)
                                                   : absl::StrCat("[", host, "]:", port);
}

absl::StatusOr<std::vector<HostAddress>> ResolveHost(const std::string& host, int port,
                                                     const CallLimits& limits) {
  if (auto numeric = LookUp(host, port, AI_NUMERICHOST); numeric.ok()) return numeric;
  const auto pending = std::make_shared<PendingLookUp>();
  std::thread([pending, host, port] {
    auto result = LookUp(host, port, AI_ADDRCONFIG);
    absl::MutexLock lock(&pending->mu);
    pending->result = std::move(result);
  }).detach();
  absl::MutexLock lock(&pending->mu);
  const auto has_result = [&pending]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return pending->result.has_value();
  };
  while (!pending->mu.AwaitWithTimeout(absl::Condition(&has_result), WaitSlice(limits))) {
    const absl::Status status = CheckLimits(limits, "connecting");
    if (absl::IsCancelled(status)) return status;
    if (!status.ok()) {
      return Unreachable(absl::StrCat("connecting to ", HostAndPort(host, port),
                                      ": the name has not been resolved in time"));
    }
  }
  return *std::move(pending->result);
}

TcpDialer::TcpDialer(std::vector<HostAddress> addresses, std::string name, absl::Duration timeout)
    : addresses_(std::move(addresses)), name_(std::move(name)), timeout_(timeout) {}

std::optional<absl::StatusOr<UniqueFd>> TcpDialer::Step(absl::Duration now) {
  if (!fd_.valid()) return NextAddress(now);
  pollfd ready = {fd_.get(), POLLOUT, 0};
  if (poll(&ready, 1, 0) == 1) {
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0) return std::move(fd_);
    NoteFailure(ErrnoText(error));
    return NextAddress(now);
  }
  if (now < give_up_at_) return std::nullopt;
  NoteFailure(ErrnoText(ETIMEDOUT));
  return NextAddress(now);
}

std::optional<absl::StatusOr<UniqueFd>> TcpDialer::NextAddress(absl::Duration now) {
  for (; next_ < addresses_.size();) {
    const HostAddress& to = addresses_[next_++];
    fd_.reset(socket(to.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_.valid()) {
      NoteFailure(ErrnoText(errno));
      continue;
    }
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    give_up_at_ = now + timeout_;
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to.address), to.length) == 0) {
      return std::move(fd_);
    }
    if (errno == EINPROGRESS) return std::nullopt;
    NoteFailure(ErrnoText(errno));
  }
  return Unreachable(absl::StrCat("connecting to ", name_, ": ", absl::StrJoin(causes_, ", ")));
}

void TcpDialer::NoteFailure(absl::string_view cause) {
  fd_.reset();
  // The addresses of one name mostly fail alike; once is enough then.
  if (std::find(causes_.begin(), causes_.end(), cause) == causes_.end()) {
    causes_.emplace_back(cause);
  }
}

}  // namespace machine::common
