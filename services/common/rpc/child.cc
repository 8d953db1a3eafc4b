#include "services/common/rpc/child.h"

#include <fcntl.h>
#include <grpcpp/health_check_service_interface.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "driver/v1/bootstrap.pb.h"
#include "services/common/config/options.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/log/level.h"
#include "services/common/process/framed.h"
#include "services/common/process/service_manager.h"
#include "services/common/process/unique_fd.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/health.h"
#include "services/common/rpc/identity.h"
#include "services/common/rpc/server.h"
#include "services/common/status/status.h"
#include "services/common/version/version.h"

namespace machine::common {
namespace {

using ::driver::v1::BootstrapParams;
using ::driver::v1::BootstrapResult;

constexpr int kProtocol = 1;
constexpr int kResultFd = 3;
constexpr int64_t kMaxParamsBytes = 64 << 10;
constexpr absl::Duration kParamsTimeout = absl::Seconds(10);
constexpr absl::Duration kDrainGrace = absl::Seconds(10);
constexpr int kUsageError = 2;

constexpr absl::Duration kHealthTimeout = absl::Seconds(10);

struct Arguments {
  std::string listen;
  bool insecure_loopback = false;
  std::string cookie_file;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  std::string data_dir;
  std::string log_level = "info";
};

constexpr OptionSpec kOptions[] = {
    {.name = "listen",
     .value = "ADDRESS",
     .sample = "0.0.0.0:7700",
     .help = "Serve on unix:/PATH, or on HOST:PORT with --tls-cert, --tls-key and --tls-ca"},
    {.name = "tls-cert",
     .value = "FILE",
     .sample = "/etc/docker-machine/service.pem",
     .help = "The certificate of HOST, PEM; read again when the file changes, like the others"},
    {.name = "tls-key",
     .value = "FILE",
     .sample = "/etc/docker-machine/service.key",
     .help = "Its key, PEM"},
    {.name = "tls-ca",
     .value = "FILE",
     .sample = "/etc/docker-machine/ca.pem",
     .help = "The authority whose certificates callers must show, PEM"},
    {.name = "insecure-loopback",
     .sample = "false",
     .help = "Allow plain TCP on a loopback address"},
    {.name = "cookie-file",
     .value = "FILE",
     .sample = "/etc/docker-machine/cookie",
     .help = "The cookie that every call on a Unix socket must carry"},
    {.name = "data-dir",
     .value = "PATH",
     .sample = "/var/lib/docker-machine-service",
     .help = "Folder for bulky files of instances"},
    {.name = "log-level",
     .value = "LEVEL",
     .live = true,
     .sample = "info",
     .help = "Least severity to log: debug, info, warning or error (default info)"},
};

// Variables have the program's name: MACHINE_DRIVER_GENERIC_LISTEN.
std::string VariablePrefix(const ChildProgram& program) {
  return absl::StrCat(absl::StrReplaceAll(absl::AsciiStrToUpper(program.program), {{"-", "_"}}),
                      "_");
}

std::string HelpText(const OptionTable& table, const ChildProgram& program) {
  return absl::StrCat(program.description, "\nWithout options it is started by ",
                      "machine-orchestrator.\n\nUsage: ", program.program, " [OPTIONS]\n       ",
                      program.program, " health [OPTIONS]   Ask the one that serves with the same ",
                      "options whether it does\n\nOptions:\n", OptionHelp(table));
}

absl::StatusOr<Arguments> ReadArguments(const OptionSources& sources) {
  DM_ASSIGN_OR_RETURN(const std::vector<Option> options, sources.Read());
  Arguments arguments;
  const std::pair<absl::string_view, std::string*> texts[] = {
      {"listen", &arguments.listen},       {"tls-cert", &arguments.tls_cert},
      {"tls-key", &arguments.tls_key},     {"tls-ca", &arguments.tls_ca},
      {"data-dir", &arguments.data_dir},   {"cookie-file", &arguments.cookie_file},
      {"log-level", &arguments.log_level},
  };
  for (const Option& option : options) {
    for (const auto& [name, target] : texts) {
      if (option.spec->name == name) *target = option.value;
    }
    if (option.spec->name == "insecure-loopback")
      arguments.insecure_loopback = option.value == "true";
    if (option.spec->name == "log-level" && !ParseSeverity(option.value).has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(option.where, ": \"", option.value,
                                                     "\" is not debug, info, warning or error"));
    }
  }
  return arguments;
}

absl::StatusOr<std::string> ReadCookie(const std::string& path) {
  std::ifstream file(path);
  std::string cookie((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  absl::StripAsciiWhitespace(&cookie);
  if (!file || cookie.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no cookie can be read from ", path));
  }
  return cookie;
}

// Whoever can enter the folder of the socket can call us.
absl::Status CheckSocketFolder(absl::string_view socket) {
  const size_t slash = socket.rfind('/');
  if (socket.empty() || socket[0] != '/' || slash == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen unix:", socket, ": an absolute path in a folder of its own is needed"));
  }
  const std::string folder(socket.substr(0, slash));
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": ", ErrnoText(errno)));
  }
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the folder of the socket, ", folder, ", must be yours and have mode 0700"));
  }
  return absl::OkStatus();
}

// Whether the place is one with TLS.
absl::StatusOr<bool> WantsTls(const Arguments& arguments) {
  const std::pair<absl::string_view, const std::string*> files[] = {
      {"--tls-cert", &arguments.tls_cert},
      {"--tls-key", &arguments.tls_key},
      {"--tls-ca", &arguments.tls_ca}};
  const bool any = std::any_of(std::begin(files), std::end(files),
                               [](const auto& file) { return !file.second->empty(); });
  if (!any) return false;
  for (const auto& [flag, path] : files) {
    if (path->empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, " is missing: TLS needs --tls-cert, --tls-key and --tls-ca"));
    }
    if (!std::ifstream(*path)) {
      return absl::InvalidArgumentError(absl::StrCat(flag, " ", *path, " cannot be read"));
    }
  }
  if (absl::StartsWith(arguments.listen, "unix:") || arguments.insecure_loopback ||
      !arguments.cookie_file.empty()) {
    return absl::InvalidArgumentError(
        "with TLS, --listen takes HOST:PORT, and there is no cookie and nothing insecure");
  }
  return true;
}

absl::StatusOr<BootstrapParams> ParamsFromArguments(const Arguments& arguments) {
  absl::string_view path = arguments.listen;
  DM_ASSIGN_OR_RETURN(const bool tls, WantsTls(arguments));
  if (tls) {
    path = "";
  } else if (absl::ConsumePrefix(&path, "unix:")) {
    DM_RETURN_IF_ERROR(CheckSocketFolder(path));
  } else if (!absl::StartsWith(path, "127.") && !absl::StartsWith(path, "[::1]:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", path, ": without TLS only unix:/PATH, or 127.0.0.1:PORT with ",
                     "--insecure-loopback; add --tls-cert, --tls-key and --tls-ca"));
  } else if (!arguments.insecure_loopback) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen ", path, ": every user of this host could call it; add --insecure-loopback"));
  }
  BootstrapParams params;
  params.set_protocol(kProtocol);
  params.set_listen_address(arguments.listen);
  params.set_log_level(arguments.log_level);
  params.set_data_dir(arguments.data_dir);
  if (!arguments.cookie_file.empty()) {
    DM_ASSIGN_OR_RETURN(*params.mutable_cookie(), ReadCookie(arguments.cookie_file));
  }
  return params;
}

absl::StatusOr<BootstrapParams> ParamsFromParent() {
  DM_ASSIGN_OR_RETURN(const std::string bytes,
                      ReadFramed(STDIN_FILENO, kMaxParamsBytes, absl::Now() + kParamsTimeout));
  BootstrapParams params;
  if (!params.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("standard input does not hold BootstrapParams");
  }
  if (params.protocol() != kProtocol) {
    return absl::FailedPreconditionError(
        absl::StrCat("the orchestrator starts children by version ", params.protocol(),
                     " of the protocol, this ", "program knows version ", kProtocol));
  }
  if (!absl::StartsWith(params.listen_address(), "unix:") || params.cookie().empty()) {
    return absl::InvalidArgumentError("a child needs the address of a Unix socket and a cookie");
  }
  return params;
}

// Whoever shows a certificate of the authority that this process was given may call.
class CertificateGuard final : public CallGuard {
 public:
  absl::Status Admit(absl::string_view method, const grpc::AuthContext& context) override {
    // Whoever looks after the process has no certificate of a caller.
    if (context.IsPeerAuthenticated() || method == "/grpc.health.v1.Health/Check") {
      return absl::OkStatus();
    }
    return Error(absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_CLIENT_CREDENTIALS,
                 "a client certificate is needed");
  }
  std::unique_ptr<grpc::experimental::Interceptor> Follow(
      grpc::experimental::ServerRpcInfo&) override {
    return nullptr;
  }
};

// Nothing this process makes is for others, secrets never reach a core file, and a batch may open
// as many sockets as the system allows.
void HardenProcess() {
  umask(077);
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
}

// Blocks the signals in this thread and those it starts; they are then read from the result.
UniqueFd TakeSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// An eventfd as a message from any thread to the main thread's poll.
class Bell {
 public:
  Bell() : fd_(eventfd(0, EFD_CLOEXEC)) {}
  void Ring() const { eventfd_write(fd_.get(), 1); }
  void Silence() const {
    eventfd_t count;
    eventfd_read(fd_.get(), &count);
  }
  int fd() const { return fd_.get(); }

 private:
  const UniqueFd fd_;
};

// True when the pipe has ended; bytes on it mean nothing.
bool LifelineEnded(int fd) {
  std::array<char, 256> ignored{};
  const ssize_t count = read(fd, ignored.data(), ignored.size());
  return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
}

// Waits for a reason to end, drains, and returns the exit status.
class MainLoop {
 public:
  // `sources` are those of a process that stands alone; null for a child.
  MainLoop(const Logger& log, const OptionSources* sources, const ServiceManager& manager,
           ChildServer& child, RpcServer& server, const Bell& requested, int signal_fd,
           int lifeline_fd)
      : log_(log),
        sources_(sources),
        manager_(manager),
        child_(child),
        server_(server),
        requested_(requested),
        signal_fd_(signal_fd),
        lifeline_fd_(lifeline_fd) {}

  int Run() {
    while (!drained_) {
      std::array<pollfd, 4> fds{pollfd{signal_fd_, POLLIN, 0}, pollfd{lifeline_fd_, POLLIN, 0},
                                pollfd{requested_.fd(), POLLIN, 0}, pollfd{done_.fd(), POLLIN, 0}};
      if (poll(fds.data(), fds.size(), -1) < 0) continue;  // EINTR.
      if (fds[1].revents != 0 && LifelineEnded(lifeline_fd_)) {
        log_.Info("the orchestrator is gone; ending at once");
        _exit(0);
      }
      if (fds[0].revents != 0) OnSignal();
      if (fds[2].revents != 0) {
        requested_.Silence();
        BeginDrain("asked to shut down");
      }
      if (fds[3].revents != 0) drained_ = true;
    }
    drain_.join();
    if (clean_) return 0;
    log_.Warning("calls are still running; ending at once");
    _exit(1);
  }

 private:
  void OnSignal() {
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) return;
    if (info.ssi_signo == SIGHUP && sources_ != nullptr) return Reload();
    if (drain_.joinable()) {
      log_.Warning("second signal; ending at once");
      _exit(1);
    }
    BeginDrain("got a signal to end");
  }

  // Certificates need no word: the server looks after their files by itself.
  void Reload() const {
    const absl::StatusOr<Arguments> arguments = ReadArguments(*sources_);
    if (!arguments.ok()) {
      return log_.Error("the configuration is not good; nothing is changed",
                        {{"error", std::string(arguments.status().message())}});
    }
    SetProcessSeverity(*ParseSeverity(arguments->log_level));
    log_.Info("read the configuration again", {{"log_level", arguments->log_level}});
  }

  // On a thread of its own, so that a second signal and the end of the lifeline are still seen.
  void BeginDrain(absl::string_view why) {
    if (drain_.joinable()) return;
    log_.Info("shutting down", {{"cause", std::string(why)}});
    manager_.Tell("STOPPING=1");
    drain_ = std::thread([this] {
      server_.grpc().GetHealthCheckService()->SetServingStatus(false);
      clean_ = child_.Drain(kDrainGrace);
      if (clean_) server_.Shutdown(absl::Seconds(1));  // It would wait for the others for ever.
      done_.Ring();
    });
  }

  const Logger& log_;
  const OptionSources* const sources_;
  const ServiceManager& manager_;
  ChildServer& child_;
  RpcServer& server_;
  const Bell& requested_;
  const int signal_fd_;
  const int lifeline_fd_;
  const Bell done_;
  std::thread drain_;
  bool clean_ = true;  // Written by drain_ before done_ rings.
  bool drained_ = false;
};

void Report(const ChildProgram& program, const absl::Status& status, const std::string& address) {
  BootstrapResult result;
  result.set_protocol(kProtocol);
  result.set_name(program.name);
  result.set_pid(getpid());
  result.set_address(address);
  if (!status.ok()) result.set_error(std::string(status.message()));
  // A parent that is gone shows at the lifeline.
  WriteFramed(kResultFd, result.SerializeAsString()).IgnoreError();
  close(kResultFd);
}

// Asks the process that serves with the same options, as one that is on this host may.
absl::Status AskHealth(const Arguments& arguments) {
  if (absl::StartsWith(arguments.listen, "unix:")) {
    std::string cookie;
    if (!arguments.cookie_file.empty()) {
      DM_ASSIGN_OR_RETURN(cookie, ReadCookie(arguments.cookie_file));
    }
    return CheckHealth(Channel::Local(arguments.listen, cookie), kHealthTimeout);
  }
  const std::string address =
      absl::StrReplaceAll(arguments.listen, {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}});
  if (arguments.tls_cert.empty()) {
    DM_ASSIGN_OR_RETURN(const Channel channel, Channel::InsecureLoopback(address));
    return CheckHealth(channel, kHealthTimeout);
  }
  DM_ASSIGN_OR_RETURN(const std::string cert, ReadFile(arguments.tls_cert));
  DM_ASSIGN_OR_RETURN(const std::string authority, ReadFile(arguments.tls_ca));
  DM_ASSIGN_OR_RETURN(const CertInfo info, CertInfo::Parse(cert));
  // It is reached by another name than its certificate's; what it is to show is known here.
  std::vector<std::string> names = info.dns_names;
  names.insert(names.end(), info.ip_addresses.begin(), info.ip_addresses.end());
  if (names.empty()) return absl::InvalidArgumentError("the certificate has no name");
  return CheckHealth(Channel::Tls(address, {.ca_pem = absl::StrCat(authority, "\n", cert),
                                            .server_name = names[0]}),
                     kHealthTimeout);
}

// What is said and done without serving; the exit status.
std::optional<int> Answer(const OptionSources& sources, const OptionTable& table,
                          const ChildProgram& program, bool health,
                          const absl::StatusOr<Arguments>& arguments) {
  const auto print = [](const std::string& text) {
    std::fputs(text.c_str(), stdout);
    return 0;
  };
  if (sources.Asked("help")) return print(HelpText(table, program));
  if (sources.Asked("version")) {
    return print(absl::StrCat(program.program, " version ", kVersion, "\n"));
  }
  if (sources.Asked("sample-config")) return print(SampleFile(table));
  absl::Status status = arguments.status();
  if (status.ok() && !health && !sources.Asked("check-config")) return std::nullopt;
  if (status.ok() && arguments->listen.empty()) {
    status = absl::InvalidArgumentError("without --listen it is a child of machine-orchestrator");
  }
  if (status.ok())
    status = health ? AskHealth(*arguments) : ParamsFromArguments(*arguments).status();
  if (status.ok()) return print(health ? "serving\n" : "the configuration is good\n");
  std::fprintf(stderr, "%s: %s\n", program.program.c_str(), std::string(status.message()).c_str());
  return health && arguments.ok() ? 1 : kUsageError;
}

}  // namespace

int RunChild(int argc, char** argv, const ChildProgram& program, const ChildFactory& factory) {
  // First, before a descriptor of our own can take that number.
  const bool has_parent = fcntl(kResultFd, F_SETFD, FD_CLOEXEC) == 0 && isatty(STDIN_FILENO) == 0;
  HardenProcess();
  const UniqueFd signals = TakeSignals();
  const ServiceManager manager = ServiceManager::FromEnvironment();
  const std::string prefix = VariablePrefix(program);
  const OptionTable table{program.program, prefix, kOptions};
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const bool health = !words.empty() && words[0] == "health";
  if (health) words.erase(words.begin());
  const OptionSources sources(table, std::move(words));
  // A child takes nothing from variables: they are its parent's.
  const absl::StatusOr<Arguments> read = argc > 1 ? ReadArguments(sources) : Arguments();
  if (const auto status = Answer(sources, table, program, health, read)) return *status;
  const Arguments& arguments = *read;
  const bool alone = !arguments.listen.empty();
  if (!alone && !has_parent) {
    std::fprintf(stderr, "%s is started by machine-orchestrator; see %s --help for --listen\n",
                 program.program.c_str(), program.program.c_str());
    return kUsageError;
  }
  const absl::StatusOr<BootstrapParams> params =
      alone ? ParamsFromArguments(arguments) : ParamsFromParent();
  const Logger log(
      params.ok() ? ParseSeverity(params->log_level()).value_or(Severity::kInfo) : Severity::kInfo,
      program.name);
  const auto fail = [&](const absl::Status& status) {
    log.Error("cannot start", {{"error", std::string(status.message())}});
    if (!alone) Report(program, status, "");
    return alone && absl::IsInvalidArgument(status) ? kUsageError : 1;
  };
  if (!params.ok()) return fail(params.status());

  const auto requested = std::make_shared<Bell>();
  Metrics metrics;
  const ChildEnvironment environment{log, metrics, params->orchestrator_id(), params->data_dir(),
                                     [requested] { requested->Ring(); }};
  absl::StatusOr<std::unique_ptr<ChildServer>> child = factory(environment);
  if (!child.ok()) return fail(child.status());
  CertificateGuard guard;
  std::optional<IdentityFiles> identity_files;
  std::optional<IdentityService> identity;
  RpcServerOptions options;
  options.services = (*child)->services();
  if (arguments.tls_cert.empty()) {
    options.address = params->listen_address();
  } else {
    options.tls = RpcServerTls{.address = params->listen_address(),
                               .cert_path = arguments.tls_cert,
                               .key_path = arguments.tls_key,
                               .client_ca_path = arguments.tls_ca};
    options.guard = &guard;
    identity_files.emplace(*options.tls);
    if (const absl::Status status = identity_files->Recover(); !status.ok()) return fail(status);
    identity.emplace(*identity_files);
    options.services.push_back(&*identity);
  }
  options.cookie = params->cookie();
  options.insecure_loopback = arguments.insecure_loopback;
  options.metrics = &metrics;
  absl::StatusOr<std::unique_ptr<RpcServer>> server = RpcServer::Start(options);
  if (!server.ok()) return fail(server.status());
  const std::string& address =
      options.tls.has_value() ? (*server)->tls_address() : (*server)->address();
  log.Info("listening", {{"address", address}});
  if (!alone) Report(program, absl::OkStatus(), address);

  manager.Tell("READY=1");
  return MainLoop(log, alone ? &sources : nullptr, manager, **child, **server, *requested,
                  signals.get(), alone ? -1 : STDIN_FILENO)
      .Run();
}

}  // namespace machine::common
