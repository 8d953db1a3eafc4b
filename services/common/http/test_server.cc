#include "services/common/http/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::common {
namespace {

UniqueFd BindLoopback(int& port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd.get(), generic, length) != 0 || getsockname(fd.get(), generic, &length) != 0) abort();
  port = ntohs(address.sin_port);
  return fd;
}

UniqueFd BindUnix(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) abort();
  return fd;
}

void SendAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<size_t>(sent));
  }
}

}  // namespace

TestServer::TestServer(const Configure& configure)
    : TestServer(std::make_unique<httplib::Server>(), configure) {}

TestServer::TestServer(std::unique_ptr<httplib::Server> server, const Configure& configure)
    : server_(std::move(server)) {
  configure(*server_);
  port_ = server_->bind_to_any_port("127.0.0.1");
  thread_ = std::thread([this] { server_->listen_after_bind(); });
}

TestServer::~TestServer() {
  // Before it runs, stop() would do nothing.
  while (!server_->is_running()) std::this_thread::yield();
  server_->stop();
  thread_.join();
}

std::string TestServer::url(absl::string_view path, absl::string_view scheme) const {
  return absl::StrCat(scheme, "://127.0.0.1:", port_, path);
}

RawServer::RawServer(Answer answer, const std::string& path)
    : answer_(std::move(answer)), listener_(path.empty() ? BindLoopback(port_) : BindUnix(path)) {
  if (listen(listener_.get(), 16) != 0) abort();
  accepting_ = std::thread([this] { AcceptLoop(); });
}

RawServer::~RawServer() {
  shutdown(listener_.get(), SHUT_RDWR);
  accepting_.join();
  std::vector<std::thread> serving;
  {
    absl::MutexLock lock(&mu_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    serving.swap(serving_);
  }
  for (std::thread& thread : serving) thread.join();
}

std::string RawServer::url(absl::string_view path) const {
  return absl::StrCat("http://127.0.0.1:", port_, path);
}

void RawServer::AcceptLoop() {
  while (true) {
    const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    absl::MutexLock lock(&mu_);
    open_.push_back(fd);
    serving_.emplace_back([this, fd] { Serve(fd); });
  }
}

void RawServer::Serve(int fd) {
  std::string received;
  char buffer[4096];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof(buffer))) > 0) {
    received.append(buffer, static_cast<size_t>(count));
    const size_t end = received.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const std::string answer = answer_(received.substr(0, end));
    received.erase(0, end + 4);
    const bool closes = absl::StartsWith(answer, "!");
    SendAll(fd, absl::string_view(answer).substr(closes ? 1 : 0));
    if (closes) break;
  }
  absl::MutexLock lock(&mu_);
  std::erase(open_, fd);
  close(fd);
}

ClosedPort::ClosedPort() : bound_(BindLoopback(port_)) {}

}  // namespace machine::common
