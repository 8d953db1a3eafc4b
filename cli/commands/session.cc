#include "cli/commands/session.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/commands/errors.h"
#include "cli/commands/machines.h"
#include "cli/output/terminal.h"
#include "machine/v1/sessions.grpc.pb.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using machine::v1::ExecRequest;
using machine::v1::ExecResponse;
using Stream = grpc::ClientReaderWriterInterface<ExecRequest, ExecResponse>;

constexpr size_t kChunk = 32 << 10;
// A session that a signal ended, as shells report it.
constexpr int kSignalExit = 255;

// A signal handler can reach nothing but statics. Not a signalfd: gRPC's threads, which do not
// block the signal, would take it first.
std::atomic<int> resize_event = -1;

void OnResize(int) {
  const int before = errno;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(resize_event.load(), &one, sizeof one);
  errno = before;
}

// Carries standard input and changes of the window's size to the machine, on a thread of its own.
class InputPump {
 public:
  InputPump(Stream& stream, bool pty)
      : stream_(stream),
        stop_(eventfd(0, EFD_CLOEXEC)),
        resized_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (pty) {
      resize_event = resized_.get();
      struct sigaction action = {};
      action.sa_handler = OnResize;
      action.sa_flags = SA_RESTART;
      sigaction(SIGWINCH, &action, nullptr);
    }
    thread_ = std::thread([this] { Run(); });
  }

  /// Some input is on its way, so the session cannot be begun again.
  bool used() const { return used_; }

  ~InputPump() {
    signal(SIGWINCH, SIG_DFL);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

 private:
  void Run() {
    pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                    {.fd = resized_.get(), .events = POLLIN, .revents = 0},
                    {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    while (true) {
      if (poll(fds, 3, -1) < 0) {
        if (errno == EINTR) continue;
        return;
      }
      if (fds[2].revents != 0) return;
      if (fds[1].revents != 0 && !SendWindow()) return;
      if (fds[0].revents != 0 && !SendInput(fds[0])) return;
    }
  }

  bool SendWindow() {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(resized_.get(), &count, sizeof count);
    const TerminalSize size = SizeOfTerminal(STDIN_FILENO);
    ExecRequest request;
    request.mutable_window()->set_columns(size.columns);
    request.mutable_window()->set_rows(size.rows);
    return stream_.Write(request);
  }

  bool SendInput(pollfd& input) {
    std::string buffer(kChunk, '\0');
    const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    ExecRequest request;
    used_ = true;
    if (got > 0) {
      buffer.resize(static_cast<size_t>(got));
      request.set_stdin(std::move(buffer));
    } else {
      request.set_eof(true);
      input.fd = -1;  // poll() leaves it alone from now on.
    }
    return stream_.Write(request);
  }

  Stream& stream_;
  const common::UniqueFd stop_;
  const common::UniqueFd resized_;
  std::atomic<bool> used_ = false;
  std::thread thread_;
};

absl::Status ExecError(const absl::Status& status, const std::string& machine) {
  if (common::ReasonOf(status) == machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING) {
    return absl::FailedPreconditionError(
        absl::StrCat("Error: Cannot run SSH command: Host \"", machine, "\" is not running"));
  }
  return UserError(status, machine);
}

ExecRequest StartRequest(const CommandContext& context, const std::string& machine,
                         const SessionOptions& options) {
  ExecRequest request;
  machine::v1::ExecStart& start = *request.mutable_start();
  start.set_name(ResourceName(machine));
  start.set_command(options.command);
  if (!options.pty) return request;
  const std::string term = context.env.Get("TERM");
  const TerminalSize size = SizeOfTerminal(STDIN_FILENO);
  start.set_pty(true);
  start.set_term(term.empty() ? "xterm" : term);
  start.mutable_window()->set_columns(size.columns);
  start.mutable_window()->set_rows(size.rows);
  return request;
}

absl::StatusOr<int> Converse(CommandContext& context, const common::Channel& channel,
                             const ExecRequest& start, bool& begun) {
  const bool pty = start.start().pty();
  machine::v1::Sessions::Stub stub(channel.grpc());
  grpc::ClientContext call;
  channel.Prepare(call, absl::InfiniteDuration());
  const auto stream = stub.Exec(&call);
  std::optional<int> exit;
  {
    const bool sent = stream->Write(start);
    std::optional<RawTerminal> raw;
    std::optional<InputPump> input;
    if (sent) {
      if (pty) raw.emplace(STDIN_FILENO);
      input.emplace(*stream, pty);
    }
    ExecResponse response;
    while (!exit.has_value() && stream->Read(&response)) {
      begun = true;
      if (response.has_exit()) {
        exit = response.exit().signal().empty() ? response.exit().code() : kSignalExit;
      } else if (response.kind_case() == ExecResponse::kStderr) {
        context.console.Err(response.stderr());
      } else {
        context.console.Out(response.stdout());
      }
    }
    begun = begun || (input.has_value() && input->used());
    // Also frees a write that waits for a reader who has gone.
    if (exit.has_value()) call.TryCancel();
  }
  if (exit.has_value()) {
    stream->Finish();
    return *exit;
  }
  const absl::Status status = common::FromGrpcStatus(stream->Finish());
  if (!status.ok()) return status;
  return absl::UnavailableError("the session ended without an exit status");
}

}  // namespace

absl::StatusOr<int> RunSession(CommandContext& context, const std::string& machine,
                               const SessionOptions& options) {
  if (!IsMachineName(machine)) return GetMachine(context, machine, {}).status();
  const ExecRequest start = StartRequest(context, machine, options);
  const absl::Time give_up = absl::Now() + Orchestrator::kRepeatFor;
  for (;;) {
    DM_ASSIGN_OR_RETURN(const common::Channel channel, context.orchestrator.channel());
    bool begun = false;
    const absl::StatusOr<int> exit = Converse(context, channel, start, begun);
    // Only a session that never began may be tried on another orchestrator.
    if (exit.ok() || begun || absl::Now() > give_up ||
        !context.orchestrator.LostBy(exit.status())) {
      return exit.ok() ? exit : ExecError(exit.status(), machine);
    }
    DM_RETURN_IF_ERROR(context.orchestrator.Recover(channel, exit.status()));
  }
}

}  // namespace machine::cli
