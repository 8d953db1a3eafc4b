#include "tests/integration/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace machine::tests {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

}  // namespace

Relay::Relay()
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), bell_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_.get(), generic, size) != 0 || listen(listener_.get(), SOMAXCONN) != 0 ||
      getsockname(listener_.get(), generic, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

Relay::~Relay() {
  ended_ = true;
  Wake();
  thread_.join();
}

void Relay::Set(Link link) {
  link_ = link;
  Wake();
}

void Relay::Wake() const { eventfd_write(bell_.get(), 1); }

void Relay::Run() {
  while (!ended_) {
    if (link_ == Link::kCut) pairs_.clear();
    std::vector<pollfd> fds = {{bell_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    const bool silent = link_ == Link::kSilent;
    for (const Pair& pair : pairs_) {
      fds.push_back({silent ? -1 : pair.near.get(), POLLIN, 0});
      fds.push_back({silent ? -1 : pair.far.get(), POLLIN, 0});
    }
    if (poll(fds.data(), fds.size(), -1) < 0) continue;  // EINTR.
    if (fds[0].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(bell_.get(), &count);
      continue;
    }
    std::vector<Pair> open;
    for (size_t i = 0; i < pairs_.size(); ++i) {
      Pair& pair = pairs_[i];
      const bool goes_on =
          (fds[2 + 2 * i].revents == 0 || Carry(pair.near.get(), pair.far.get())) &&
          (fds[3 + 2 * i].revents == 0 || Carry(pair.far.get(), pair.near.get()));
      if (goes_on) open.push_back(std::move(pair));
    }
    pairs_ = std::move(open);
    if (fds[1].revents != 0) Accept();
  }
}

void Relay::Accept() {
  Pair pair = {common::UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)),
               common::UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  if (link_ == Link::kCut) return;
  const sockaddr_in target = Loopback(target_);
  // A server that is down: the connection ends.
  if (connect(pair.far.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) {
    return;
  }
  pairs_.push_back(std::move(pair));
}

bool Relay::Carry(int from, int to) {
  char buffer[16384];
  const ssize_t count = read(from, buffer, sizeof buffer);
  if (count <= 0) return false;
  for (ssize_t sent = 0; sent < count;) {
    const ssize_t some = send(to, buffer + sent, static_cast<size_t>(count - sent), MSG_NOSIGNAL);
    if (some <= 0) return false;
    sent += some;
  }
  return true;
}

}  // namespace machine::tests
