#include "cli/commands/tunnel.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "machine/v1/sessions.grpc.pb.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::TunnelRequest;
using machine::v1::TunnelResponse;
using Stream = grpc::ClientReaderWriterInterface<TunnelRequest, TunnelResponse>;

constexpr size_t kChunk = 32 << 10;
constexpr int kBacklog = 64;

// Carries a descriptor's input into the tunnel, on a thread of its own.
class TunnelInput {
 public:
  TunnelInput(Stream& stream, int fd) : stream_(stream), fd_(fd), stop_(eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~TunnelInput() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

 private:
  void Run() {
    pollfd fds[] = {{.fd = fd_, .events = POLLIN, .revents = 0},
                    {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    std::string buffer(kChunk, '\0');
    while (true) {
      if (poll(fds, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return;
      }
      if (fds[1].revents != 0) return;
      const ssize_t got = read(fd_, buffer.data(), buffer.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      TunnelRequest request;
      if (got <= 0) {
        request.set_eof(true);
        stream_.Write(request);
        return;
      }
      request.set_data(buffer.data(), static_cast<size_t>(got));
      if (!stream_.Write(request)) return;
    }
  }

  Stream& stream_;
  const int fd_;
  const common::UniqueFd stop_;
  std::thread thread_;
};

bool WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

absl::Status CannotListen(absl::string_view address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", why));
}

absl::StatusOr<common::UniqueFd> ListenOnSocket(const std::string& path,
                                                absl::string_view address) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat("the socket path ", path, " is longer than ",
                                                   sizeof name.sun_path - 1, " bytes"));
  }
  memcpy(name.sun_path, path.c_str(), path.size() + 1);
  struct stat info = {};
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path.c_str());
  common::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Nobody else on this host has the user's rights on the machine.
  const mode_t before = umask(077);
  const bool bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  umask(before);
  if (!bound || listen(fd.get(), kBacklog) != 0) {
    return CannotListen(address, common::ErrnoText(errno));
  }
  return fd;
}

absl::StatusOr<common::UniqueFd> ListenOnPort(absl::string_view address) {
  const size_t colon = address.rfind(':');
  absl::string_view host = address.substr(0, colon);
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address, "\" is not HOST:PORT or unix:PATH"));
  }
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(std::string(host).c_str(),
                                  std::string(address.substr(colon + 1)).c_str(), &hints, &found);
  if (failure != 0) return CannotListen(address, gai_strerror(failure));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
  common::UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return CannotListen(address, common::ErrnoText(errno));
  }
  return fd;
}

// "127.0.0.1:34567" of a listening socket.
std::string AddressOf(int fd) {
  sockaddr_storage name = {};
  socklen_t size = sizeof name;
  std::array<char, NI_MAXHOST> host = {};
  std::array<char, NI_MAXSERV> port = {};
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&name), size, host.data(), host.size(), port.data(),
                  port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "";
  }
  const bool v6 = name.ss_family == AF_INET6;
  return absl::StrCat(v6 ? "[" : "", host.data(), v6 ? "]:" : ":", port.data());
}

int PollTimeout(absl::Duration idle_exit, absl::Time since, int open) {
  if (open > 0 || idle_exit == absl::InfiniteDuration()) return 1000;
  const absl::Duration left = since + idle_exit - absl::Now();
  return static_cast<int>(
      absl::ToInt64Milliseconds(std::clamp(left, absl::ZeroDuration(), absl::Seconds(1))));
}

}  // namespace

absl::Status RunTunnel(CommandContext& context, const std::string& machine, int port, int in_fd,
                       int out_fd) {
  DM_ASSIGN_OR_RETURN(const common::Channel channel, context.orchestrator.channel());
  machine::v1::Sessions::Stub stub(channel.grpc());
  grpc::ClientContext call;
  channel.Prepare(call, absl::InfiniteDuration());
  const auto stream = stub.Tunnel(&call);
  TunnelRequest start;
  start.mutable_start()->set_name(ResourceName(machine));
  start.mutable_start()->set_port(port);
  bool ended = false;
  {
    std::optional<TunnelInput> input;
    if (stream->Write(start)) input.emplace(*stream, in_fd);
    TunnelResponse response;
    while (!ended && stream->Read(&response)) {
      ended = response.has_eof() || !WriteAll(out_fd, response.data());
    }
    if (ended) call.TryCancel();  // Also frees a write that waits for a reader who has gone.
  }
  const absl::Status status = common::FromGrpcStatus(stream->Finish());
  return ended || status.ok() ? absl::OkStatus() : UserError(status, machine);
}

absl::Status ListenForTunnels(CommandContext& context, const ListenTunnelOptions& options,
                              const std::function<void(const std::string&)>& ready) {
  absl::string_view path = options.address;
  const bool is_socket = absl::ConsumePrefix(&path, "unix:");
  DM_ASSIGN_OR_RETURN(const common::UniqueFd listener,
                      is_socket ? ListenOnSocket(std::string(path), options.address)
                                : ListenOnPort(options.address));
  // Its first use shows whether the orchestrator can be reached at all.
  DM_RETURN_IF_ERROR(context.orchestrator.channel().status());
  ready(is_socket ? options.address : AddressOf(listener.get()));
  // Of threads that outlive this function when the program ends.
  const auto open = std::make_shared<std::atomic<int>>(0);
  absl::Time last_use = absl::Now();
  while (true) {
    if (*open > 0) last_use = absl::Now();
    if (absl::Now() - last_use >= options.idle_exit) return absl::OkStatus();
    pollfd event = {.fd = listener.get(), .events = POLLIN, .revents = 0};
    if (poll(&event, 1, PollTimeout(options.idle_exit, last_use, *open)) <= 0) continue;
    common::UniqueFd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) continue;
    last_use = absl::Now();
    ++*open;
    std::thread([&context, &options, open, fd = std::move(connection)] {
      const absl::Status status =
          RunTunnel(context, options.machine, options.port, fd.get(), fd.get());
      if (!status.ok()) context.console.Err(absl::StrCat(status.message(), "\n"));
      --*open;
    }).detach();
  }
}

}  // namespace machine::cli
