#include <fcntl.h>
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
#include "absl/strings/str_join.h"
#include "cli/commands/commands.h"
#include "cli/commands/errors.h"
#include "cli/commands/foreground.h"
#include "cli/commands/machines.h"
#include "cli/commands/ssh_access.h"
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

// What follows the machine's name: options of ssh itself, then the command.
struct SshArgs {
  bool want_pty = false;
  bool refuse_pty = false;
  std::string command;
};

absl::StatusOr<SshArgs> ParseSshArgs(const std::vector<std::string>& args) {
  SshArgs parsed;
  size_t i = 1;
  for (; i < args.size(); ++i) {
    if (args[i] == "--") {
      ++i;
      break;
    }
    if (args[i].size() < 2 || args[i][0] != '-') break;
    if (args[i] == "-t" || args[i] == "-tt") {
      parsed.want_pty = true;
    } else if (args[i] == "-T") {
      parsed.refuse_pty = true;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("Error: the built-in SSH client does not know the option ", args[i],
                       "; it knows -t and -T, and takes what follows -- as the command"));
    }
  }
  parsed.command = absl::StrJoin(args.begin() + static_cast<std::ptrdiff_t>(i), args.end(), " ");
  return parsed;
}

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

class SshCommand final : public Command {
 public:
  CommandInfo info() const override {
    return {.name = "ssh",
            .summary = "Log into or run a command on a machine with SSH.",
            .description = "Arguments are [machine-name] [command]",
            .flags = {},
            .operands = Operands::kMachineAndWords,
            .examples = {{"docker-machine ssh dev", "log in"},
                         {"docker-machine ssh dev df -h", "run a command; its status is returned"},
                         {"docker-machine ssh dev -L 8080:localhost:80 -N", "options of ssh"}}};
  }

  // Flags after the name belong to ssh and to the command.
  absl::StatusOr<int> RunRaw(CommandContext& context,
                             const std::vector<std::string>& args) override {
    if (!args.empty() && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help")) {
      context.console.Out(CommandHelp(info()));
      return kExitOk;
    }
    std::vector<std::string> words = args;
    if (!words.empty() && words[0] == "--") words.erase(words.begin());
    if (words.empty()) {
      DM_ASSIGN_OR_RETURN(std::string machine, DefaultMachine(context));
      words.push_back(std::move(machine));
    }
    DM_ASSIGN_OR_RETURN(const int exit, Session(context, words));
    if (exit != kExitOk) context.console.Err(absl::StrCat("exit status ", exit, "\n"));
    return exit;
  }

  absl::StatusOr<int> Run(CommandContext&, const ParsedArgs&) override { return kExitError; }

 private:
  // The ssh in PATH, which knows all of its own options; the built-in client where there is none,
  // where it is asked for, and for a host whose key only the orchestrator can pin.
  static absl::StatusOr<int> Session(CommandContext& context,
                                     const std::vector<std::string>& words) {
    const std::optional<std::string> ssh =
        context.native_ssh ? std::nullopt : FindInPath(context.env, "ssh");
    if (ssh.has_value()) {
      const absl::StatusOr<SshAccess> access = GetSshAccess(context, words[0]);
      if (access.ok() && !access->host_key_sha256.empty()) {
        DM_ASSIGN_OR_RETURN(const SshConfigFile config, SshConfigFile::Make(context, {*access}));
        std::vector<std::string> argv = {*ssh, "-F", config.path()};
        argv.insert(argv.end(), words.begin(), words.end());
        return RunInForeground(argv);
      }
      // A machine without an address has one error, whoever looks for it.
      if (!access.ok() &&
          common::ReasonOf(access.status()) != machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING) {
        return access.status();
      }
    }
    DM_ASSIGN_OR_RETURN(const SshArgs parsed, ParseSshArgs(words));
    return Exec(context, words[0], parsed);
  }

  static absl::StatusOr<int> Exec(CommandContext& context, const std::string& machine,
                                  const SshArgs& args) {
    if (!IsMachineName(machine)) return GetMachine(context, machine, {}).status();
    const bool terminal = isatty(STDIN_FILENO) == 1;
    const bool pty = !args.refuse_pty && (args.want_pty || (args.command.empty() && terminal));
    ExecRequest start;
    start.mutable_start()->set_name(ResourceName(machine));
    start.mutable_start()->set_command(args.command);
    if (pty) {
      const std::string term = context.env.Get("TERM");
      const TerminalSize size = SizeOfTerminal(STDIN_FILENO);
      start.mutable_start()->set_pty(true);
      start.mutable_start()->set_term(term.empty() ? "xterm" : term);
      start.mutable_start()->mutable_window()->set_columns(size.columns);
      start.mutable_start()->mutable_window()->set_rows(size.rows);
    }
    for (bool repeated = false;; repeated = true) {
      DM_ASSIGN_OR_RETURN(const common::Channel channel, context.orchestrator.channel());
      bool begun = false;
      const absl::StatusOr<int> exit = Converse(context, channel, start, pty, begun);
      // Only a session that never began may be tried on another orchestrator.
      if (exit.ok() || begun || repeated || !absl::IsUnavailable(exit.status()) ||
          common::ReasonOf(exit.status()) != machine::v1::ERROR_REASON_UNSPECIFIED) {
        return exit.ok() ? exit : ExecError(exit.status(), machine);
      }
      DM_RETURN_IF_ERROR(context.orchestrator.Recover(channel, exit.status()));
    }
  }

  static absl::Status ExecError(const absl::Status& status, const std::string& machine) {
    if (common::ReasonOf(status) == machine::v1::ERROR_REASON_MACHINE_NOT_RUNNING) {
      return absl::FailedPreconditionError(
          absl::StrCat("Error: Cannot run SSH command: Host \"", machine, "\" is not running"));
    }
    return UserError(status, machine);
  }

  static absl::StatusOr<int> Converse(CommandContext& context, const common::Channel& channel,
                                      const ExecRequest& start, bool pty, bool& begun) {
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
};

}  // namespace

std::unique_ptr<Command> MakeSshCommand() { return std::make_unique<SshCommand>(); }

}  // namespace machine::cli
