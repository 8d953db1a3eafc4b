#include "cli/autostart/private_connector.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "machine/v1/server.grpc.pb.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr char kProgram[] = "machine-orchestrator";
constexpr int kReadyFd = 3;
constexpr size_t kLogTailLines = 10;
constexpr absl::Duration kLockPoll = absl::Milliseconds(10);
// One that does not end by then, and has not said that it will, hangs.
constexpr absl::Duration kShutdownTimeout = absl::Seconds(15);
// One that has taken its file away ends its operations' steps and its drivers first.
constexpr absl::Duration kLeaveTimeout = absl::Minutes(1);
constexpr absl::Duration kLeaveNotice = absl::Seconds(2);
// How often one is started that ends without a word, as one does that was told to end just then.
constexpr int kMaxStarts = 3;
constexpr absl::Duration kInfoTimeout = absl::Seconds(2);

bool IsExecutable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

int MillisecondsUntil(absl::Time deadline) {
  const absl::Duration left = std::max(absl::ZeroDuration(), deadline - absl::Now());
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))));
}

// Waits for input on `fd`; false when there is none by `deadline`.
bool AwaitInput(int fd, absl::Time deadline) {
  pollfd poll_fd = {.fd = fd, .events = POLLIN, .revents = 0};
  while (true) {
    const int ready = poll(&poll_fd, 1, MillisecondsUntil(deadline));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

absl::StatusOr<std::string> FindOrchestrator(const Environment& env,
                                             absl::string_view own_executable) {
  std::vector<std::string> places;
  if (const std::string folder = env.Get("MACHINE_LIBEXEC"); !folder.empty()) {
    places.push_back(absl::StrCat(folder, "/", kProgram));
  } else {
    const absl::string_view own_folder = own_executable.substr(0, own_executable.rfind('/'));
    const absl::string_view prefix = own_folder.substr(0, own_folder.rfind('/'));
    places.push_back(absl::StrCat(prefix, "/libexec/docker-machine/", kProgram));
    places.push_back(absl::StrCat(own_folder, "/", kProgram));
  }
  for (const std::string& place : places) {
    if (IsExecutable(place)) return place;
  }
  return absl::NotFoundError(absl::StrCat(kProgram, " is not installed: it is neither ",
                                          absl::StrJoin(places, " nor "),
                                          "; MACHINE_LIBEXEC can name its folder"));
}

PrivateConnector::PrivateConnector(Options options, Console& console)
    : options_(std::move(options)),
      folder_(absl::StrCat(options_.storage_path, "/server")),
      file_path_(folder_ + "/server.json"),
      log_path_(folder_ + "/server.log"),
      console_(console) {}

absl::StatusOr<common::Channel> PrivateConnector::Use(ServerFile server) {
  used_ = std::move(server);
  return common::Channel::Local(used_->address, used_->cookie);
}

absl::StatusOr<common::Channel> PrivateConnector::Connect() {
  std::optional<ServerFile> server = ReadServerFile(file_path_);
  if (server.has_value() && IsRunning(*server) && !Replaced(*server)) {
    return Use(*std::move(server));
  }
  return StartOrFind();
}

absl::StatusOr<common::Channel> PrivateConnector::Reconnect(const absl::Status& cause,
                                                            absl::Duration /*patience*/) {
  if (!used_.has_value()) return StartOrFind();
  const auto current = ReadServerFile(file_path_);
  const bool stays = current.has_value() && *current == *used_;
  // One that serves its own file knows the cookie in it: what it refuses is something else.
  if (stays && absl::IsUnauthenticated(cause) && IsRunning(*used_)) return cause;
  // One that ends answers no more, and its successor may not start before its end.
  if (!AwaitEnd(*used_, absl::Now() + (stays ? kShutdownTimeout : kLeaveTimeout))) {
    return common::Annotate(
        cause, absl::StrCat("the orchestrator (process ", used_->pid, ") does not answer"));
  }
  return StartOrFind();
}

bool PrivateConnector::AwaitEnd(const ServerFile& server, absl::Time deadline) {
  return AwaitEnd(server.pid, deadline, [&] {
    if (!IsRunning(server)) return true;
    const auto current = ReadServerFile(file_path_);
    return current.has_value() && !(*current == server);
  });
}

bool PrivateConnector::AwaitEnd(int64_t pid, absl::Time deadline,
                                absl::FunctionRef<bool()> is_over) {
  const common::UniqueFd process(
      static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  absl::Time next_notice = absl::Now() + kLeaveNotice;
  while (!is_over()) {
    const absl::Time now = absl::Now();
    if (now >= deadline) return false;
    if (now >= next_notice) {
      console_.Err(absl::StrCat("Waiting for the orchestrator that ends (process ", pid, ")...\n"));
      next_notice = now + options_.notice_interval;
    }
    if (!process.valid()) {
      absl::SleepFor(kLockPoll);
      if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) return true;
    } else if (AwaitInput(process.get(), std::min(deadline, now + absl::Milliseconds(100)))) {
      return true;
    }
  }
  return true;
}

bool PrivateConnector::Replaced(const ServerFile& server) {
  if (!options_.program.ok()) return false;
  const auto label = BuildLabel(*options_.program);
  return label.ok() && *label != server.build;
}

absl::StatusOr<common::Channel> PrivateConnector::StartOrFind() {
  DM_RETURN_IF_ERROR(common::Annotate(common::EnsureDir(options_.storage_path, 0700),
                                      "the storage path (--storage-path, MACHINE_STORAGE_PATH)"));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(folder_));
  const absl::Time give_up = absl::Now() + kLeaveTimeout;
  DM_ASSIGN_OR_RETURN(const common::UniqueFd lock, Lock(give_up + options_.start_timeout));
  for (int starts = 0;;) {
    if (auto server = ReadServerFile(file_path_);
        server.has_value() && IsRunning(*server) && !Retired(*server)) {
      return Use(*std::move(server));
    }
    int64_t holder = 0;
    absl::Status status = Start(absl::Now() + options_.start_timeout, holder);
    if (absl::IsAborted(status)) {
      // The store is still that of an orchestrator that ends.
      if (!AwaitEnd(holder, give_up, [&] { return ReadServerFile(file_path_).has_value(); })) {
        return absl::FailedPreconditionError(status.message());
      }
      absl::SleepFor(kLockPoll);
      continue;
    }
    if (auto server = ReadServerFile(file_path_); status.ok() && server.has_value()) {
      return Use(*std::move(server));
    }
    // One that was told to end as soon as it was ready has taken its file away.
    if (status.ok()) status = absl::UnavailableError("the orchestrator ends whenever it starts");
    if (!absl::IsUnavailable(status) || ++starts >= kMaxStarts) return status;
  }
}

bool PrivateConnector::Retired(const ServerFile& server) {
  if (!Replaced(server)) return false;
  const common::Channel old = common::Channel::Local(server.address, server.cookie);
  machine::v1::Server::Stub stub(old.grpc());
  machine::v1::ServerInfo info;
  grpc::ClientContext info_context;
  old.Prepare(info_context, kInfoTimeout);
  if (!stub.GetServerInfo(&info_context, {}, &info).ok() || info.active_operations() > 0) {
    return false;  // The newer build takes over when the old one is idle.
  }
  machine::v1::ShutdownRequest request;
  request.set_drain(true);
  google::protobuf::Empty empty;
  grpc::ClientContext context;
  old.Prepare(context, kShutdownTimeout);
  stub.Shutdown(&context, request, &empty);
  return AwaitEnd(server, absl::Now() + kShutdownTimeout);
}

absl::StatusOr<common::UniqueFd> PrivateConnector::Lock(absl::Time deadline) {
  const std::string path = folder_ + "/server.lock";
  common::UniqueFd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return absl::ErrnoToStatus(errno, path);
  absl::Time next_notice = absl::Now() + options_.notice_interval;
  while (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return absl::ErrnoToStatus(errno, path);
    const absl::Time now = absl::Now();
    if (now >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("another docker-machine holds ", path, " and does not let go"));
    }
    if (now >= next_notice) {
      console_.Err("Waiting for another docker-machine that starts the orchestrator...\n");
      next_notice = now + options_.notice_interval;
    }
    absl::SleepFor(kLockPoll);
  }
  return lock;
}

absl::Status PrivateConnector::Start(absl::Time deadline, int64_t& holder) {
  DM_RETURN_IF_ERROR(options_.program.status());
  const common::UniqueFd log(
      open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.valid()) return absl::ErrnoToStatus(errno, log_path_);
  struct stat log_info = {};
  const int64_t log_start = fstat(log.get(), &log_info) == 0 ? log_info.st_size : 0;

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const common::UniqueFd ready(ends[0]);
  common::UniqueFd child_end(ends[1]);
  common::SpawnOptions spawn;
  spawn.argv = {*options_.program, "--private",
                absl::StrCat("--storage-path=", options_.storage_path)};
  spawn.cwd.emplace("/");  // Keeps no folder of the user busy.
  spawn.stdin_from = common::Stdio::Null();
  spawn.stdout_to = common::Stdio::Fd(log.get());
  spawn.stderr_to = common::Stdio::Fd(log.get());
  spawn.extra_fds = {{kReadyFd, child_end.get()}};
  spawn.new_session = true;
  DM_ASSIGN_OR_RETURN(common::Process process,
                      common::Annotate(common::Process::Spawn(spawn), "starting the orchestrator"));
  process.Detach();
  child_end.reset();
  return AwaitReady(ready.get(), deadline, log_start, holder);
}

absl::Status PrivateConnector::AwaitReady(int ready_fd, absl::Time deadline, int64_t log_start,
                                          int64_t& holder) {
  std::string line;
  absl::Time next_notice = absl::Now() + options_.notice_interval;
  while (!absl::StrContains(line, '\n')) {
    if (!AwaitInput(ready_fd, std::min(deadline, next_notice))) {
      if (absl::Now() >= deadline) {
        return absl::DeadlineExceededError(
            absl::StrCat("the orchestrator is not ready after ",
                         absl::FormatDuration(options_.start_timeout), LogTail(log_start)));
      }
      console_.Err("Waiting for the orchestrator to start...\n");
      next_notice = absl::Now() + options_.notice_interval;
      continue;
    }
    char buffer[1024];
    const ssize_t got = read(ready_fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return absl::UnavailableError(
          absl::StrCat("the orchestrator ended while it started", LogTail(log_start)));
    }
    line.append(buffer, static_cast<size_t>(got));
  }
  absl::string_view text = absl::StripSuffix(line, "\n");
  if (text == "ready") return absl::OkStatus();
  if (absl::ConsumePrefix(&text, "busy ")) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(text, absl::MaxSplits(": ", 1));
    if (!absl::SimpleAtoi(parts.first, &holder)) holder = 0;
    return absl::AbortedError(absl::StrCat("the orchestrator cannot start: ", parts.second));
  }
  absl::ConsumePrefix(&text, "error: ");
  return absl::FailedPreconditionError(absl::StrCat("the orchestrator cannot start: ", text));
}

std::string PrivateConnector::LogTail(int64_t start) const {
  const auto log = common::ReadFile(log_path_, int64_t{1} << 30);
  if (!log.ok() || static_cast<int64_t>(log->size()) <= start) {
    return absl::StrCat("; it logged nothing in ", log_path_);
  }
  std::vector<absl::string_view> lines = absl::StrSplit(
      absl::string_view(*log).substr(static_cast<size_t>(start)), '\n', absl::SkipEmpty());
  if (lines.size() > kLogTailLines) lines.erase(lines.begin(), lines.end() - kLogTailLines);
  return absl::StrCat("; the end of ", log_path_, ":\n", absl::StrJoin(lines, "\n"));
}

}  // namespace machine::cli
