#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/args/flags.h"
#include "cli/commands/commands.h"
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
constexpr int kMaxPort = 65535;

// Carries standard input into the tunnel, on a thread of its own.
class TunnelInput {
 public:
  explicit TunnelInput(Stream& stream) : stream_(stream), stop_(eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~TunnelInput() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

 private:
  void Run() {
    pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                    {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    std::string buffer(kChunk, '\0');
    while (true) {
      if (poll(fds, 2, -1) < 0) {
        if (errno == EINTR) continue;
        return;
      }
      if (fds[1].revents != 0) return;
      const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
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
  const common::UniqueFd stop_;
  std::thread thread_;
};

// What ssh calls as ProxyCommand where it has no way of its own to a machine.
class SshTunnelCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ssh-tunnel",
            .summary = "Connect standard input and output to a port of a machine",
            .description = "Arguments are MACHINE PORT.",
            .flags = {},
            .hidden = true};
  }

  absl::StatusOr<int> Run(CommandContext& context, const ParsedArgs& args) override {
    int port = 0;
    if (args.operands.size() != 2 || !absl::SimpleAtoi(args.operands[1], &port) || port < 1 ||
        port > kMaxPort) {
      return absl::InvalidArgumentError("Error: Expected a machine name and a port as arguments");
    }
    const std::string& machine = args.operands[0];
    if (!IsMachineName(machine)) return GetMachine(context, machine, {}).status();
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
      if (stream->Write(start)) input.emplace(*stream);
      TunnelResponse response;
      while (!ended && stream->Read(&response)) {
        ended = response.has_eof();
        if (!ended) context.console.Out(response.data());
      }
      if (ended) call.TryCancel();  // Also frees a write that waits for a reader who has gone.
    }
    const absl::Status status = common::FromGrpcStatus(stream->Finish());
    if (!ended && !status.ok()) return UserError(status, machine);
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeSshTunnelCommand() { return std::make_unique<SshTunnelCommand>(); }

}  // namespace machine::cli
