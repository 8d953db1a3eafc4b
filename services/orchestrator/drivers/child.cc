#include "services/orchestrator/drivers/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "driver/v1/bootstrap.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/random.h"
#include "services/common/file/file.h"
#include "services/common/process/framed.h"
#include "services/common/process/process_id.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(10);
constexpr size_t kTailLines = 20;
constexpr int64_t kMaxResultBytes = 64 << 10;
constexpr int kResultFd = 3;
// Of a line longer than this the rest is a line of its own.
constexpr size_t kMaxLineBytes = 16 << 10;
constexpr char kRecordSuffix[] = ".pid";

// "/run/…/none.sock" of "unix:/run/…/none.sock", with another ending.
std::string RecordPath(absl::string_view address) {
  return absl::StrCat(absl::StripPrefix(address, "unix:"), kRecordSuffix);
}

void NoteProcess(const std::string& record_path, pid_t pid) {
  const absl::StatusOr<int64_t> start_time = common::ProcessStartTime(pid);
  if (!start_time.ok()) return;
  common::WriteFileAtomically(record_path, absl::StrCat(pid, " ", *start_time), 0600,
                              {.fsync = false})
      .IgnoreError();
}

// Kills the process that a record names, if it still is the same.
bool EndNoted(const std::string& record_path) {
  const absl::StatusOr<std::string> text = common::ReadFile(record_path, /*max_bytes=*/64);
  if (!text.ok()) return false;
  const std::vector<std::string> parts = absl::StrSplit(*text, ' ');
  int32_t pid = 0;
  int64_t start_time = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &pid) ||
      !absl::SimpleAtoi(parts[1], &start_time)) {
    return false;
  }
  unlink(record_path.c_str());
  return common::SignalProcess(pid, start_time, SIGKILL).ok();
}

absl::Status Crashed(absl::string_view program, absl::string_view cause) {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_DRIVER_CRASHED,
                       absl::StrCat(program, " could not start: ", cause));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Child>> Child::Start(const ChildOptions& options,
                                                    const common::Logger& log,
                                                    absl::AnyInvocable<void()> on_exit) {
  std::array<int, 2> pipe_fds;
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat("pipe: ", common::ErrnoText(errno)));
  }
  common::UniqueFd result_read(pipe_fds[0]);
  common::UniqueFd result_write(pipe_fds[1]);
  common::SpawnOptions spawn;
  spawn.argv = {options.program};
  spawn.stdin_from = common::Stdio::Pipe();
  spawn.stdout_to = common::Stdio::Null();
  spawn.stderr_to = common::Stdio::Pipe();
  spawn.extra_fds = {{kResultFd, result_write.get()}};
  spawn.new_session = true;  // The user's Ctrl-C is for the command line client only.
  DM_ASSIGN_OR_RETURN(common::Process process, common::Process::Spawn(spawn));
  result_write.reset();
  const std::string record_path = RecordPath(options.address);
  EndNoted(record_path);
  NoteProcess(record_path, process.pid());

  ::driver::v1::BootstrapParams params;
  params.set_protocol(1);
  params.set_listen_address(options.address);
  params.set_orchestrator_id(options.orchestrator_id);
  params.set_log_level(options.log_level);
  params.set_cookie(absl::BytesToHexString(common::RandomBytes(16)));
  params.set_data_dir(options.data_dir);

  common::UniqueFd lifeline = std::move(process.stdin_fd());
  common::UniqueFd stderr_fd = std::move(process.stderr_fd());
  const std::string cookie = params.cookie();
  auto child = std::shared_ptr<Child>(new Child(std::move(process),
                                                common::Channel::Local(options.address, cookie),
                                                std::move(lifeline), record_path));
  child->log_thread_ = std::thread(
      [raw = child.get(), fd = std::move(stderr_fd), log, on_exit = std::move(on_exit)]() mutable {
        raw->PassOnLog(std::move(fd), log, std::move(on_exit));
      });

  absl::Status status = common::WriteFramed(child->lifeline_.get(), params.SerializeAsString());
  ::driver::v1::BootstrapResult result;
  if (status.ok()) {
    absl::StatusOr<std::string> answer =
        common::ReadFramed(result_read.get(), kMaxResultBytes, absl::Now() + kStartTimeout);
    status = answer.status();
    if (answer.ok() && !result.ParseFromString(*answer)) {
      status = absl::DataLossError("its answer cannot be read");
    }
  }
  if (!status.ok()) {
    child->Stop(absl::ZeroDuration());
    return Crashed(options.program,
                   absl::StrCat(status.message(), "; ", child->EndText(), "\n", child->LogTail()));
  }
  if (!result.error().empty()) {
    child->Stop(absl::ZeroDuration());
    return Crashed(options.program, result.error());
  }
  return child;
}

Child::Child(common::Process process, common::Channel channel, common::UniqueFd lifeline,
             std::string record_path)
    : process_(std::move(process)),
      channel_(std::move(channel)),
      lifeline_(std::move(lifeline)),
      record_path_(std::move(record_path)) {}

Child::~Child() {
  Stop(absl::ZeroDuration());
  if (log_thread_.joinable()) {
    // The last owner may be a callback that runs on the log thread itself.
    if (log_thread_.get_id() == std::this_thread::get_id()) {
      log_thread_.detach();
    } else {
      log_thread_.join();
    }
  }
}

bool Child::alive() const {
  absl::MutexLock lock(&mu_);
  return alive_;
}

std::string Child::LogTail() const {
  absl::MutexLock lock(&mu_);
  return absl::StrJoin(tail_, "\n");
}

void Child::Stop(absl::Duration grace) {
  lifeline_.reset();
  const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !alive_; };
  absl::MutexLock lock(&mu_);
  if (mu_.AwaitWithTimeout(absl::Condition(&ended), grace / 2)) return;
  process_.Signal(SIGTERM).IgnoreError();
  if (mu_.AwaitWithTimeout(absl::Condition(&ended), grace / 2)) return;
  process_.Signal(SIGKILL).IgnoreError();
  mu_.Await(absl::Condition(&ended));
}

void Child::Kill(absl::string_view why) {
  absl::MutexLock lock(&mu_);
  if (!alive_) return;
  if (killed_because_.empty()) killed_because_ = std::string(why);
  process_.Signal(SIGKILL).IgnoreError();
}

std::string Child::EndText() const {
  absl::MutexLock lock(&mu_);
  if (!killed_because_.empty()) return absl::StrCat("it was killed: ", killed_because_);
  return absl::StrCat("it ended with ", exit_text_);
}

int64_t Child::ResidentBytes() const {
  const absl::StatusOr<std::string> text =
      common::ReadFile(absl::StrCat("/proc/", process_.pid(), "/statm"));
  if (!text.ok()) return 0;
  const std::vector<absl::string_view> fields = absl::StrSplit(*text, ' ');
  int64_t pages = 0;
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &pages)) return 0;
  return pages * sysconf(_SC_PAGESIZE);
}

void Child::PassOnLine(absl::string_view line, const common::Logger& log) {
  if (line.empty()) return;
  {
    absl::MutexLock lock(&mu_);
    tail_.emplace_back(line);
    if (tail_.size() > kTailLines) tail_.pop_front();
  }
  if (!log_limit_.Pass(common::Clock::Real().Steady())) return;
  if (const int64_t dropped = log_limit_.TakeDropped(); dropped > 0) {
    log.Warning("a child prints too much: lines were dropped",
                {{"pid", absl::StrCat(process_.pid())}, {"lines", absl::StrCat(dropped)}});
  }
  // A line of ours is JSON already; what a library printed is wrapped.
  if (absl::StartsWith(line, "{") && absl::EndsWith(line, "}")) {
    const std::string whole = absl::StrCat(line, "\n");
    if (write(STDERR_FILENO, whole.data(), whole.size()) < 0) return;
  } else {
    log.Warning(line, {{"pid", absl::StrCat(process_.pid())}});
  }
}

void Child::ReadLog(int stderr_fd, const common::Logger& log) {
  std::string rest;
  std::array<char, 4096> buffer;
  pollfd events[] = {{.fd = stderr_fd, .events = POLLIN, .revents = 0},
                     {.fd = process_.pidfd(), .events = POLLIN, .revents = 0}};
  for (;;) {
    if (poll(events, std::size(events), -1) < 0 && errno != EINTR) return;
    if (events[0].revents == 0) {
      if (events[1].revents != 0) break;  // It has ended, and all that it wrote was read.
      continue;
    }
    const ssize_t size = read(stderr_fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    rest.append(buffer.data(), static_cast<size_t>(size));
    size_t begin = 0;
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      PassOnLine(absl::string_view(rest).substr(begin, end - begin), log);
      begin = end + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > kMaxLineBytes) PassOnLine(std::exchange(rest, ""), log);
  }
  PassOnLine(rest, log);
}

void Child::PassOnLog(common::UniqueFd stderr_fd, const common::Logger& log,
                      absl::AnyInvocable<void()> on_exit) {
  ReadLog(stderr_fd.get(), log);
  // It has ended, or has closed its log and is about to.
  const absl::StatusOr<common::ExitStatus> exit = process_.Wait();
  if (const int64_t dropped = log_limit_.TakeDropped(); dropped > 0) {
    log.Warning("a child prints too much: lines were dropped",
                {{"pid", absl::StrCat(process_.pid())}, {"lines", absl::StrCat(dropped)}});
  }
  {
    absl::MutexLock lock(&mu_);
    alive_ = false;
    exit_text_ = exit.ok() ? exit->ToString() : std::string(exit.status().message());
  }
  if (on_exit) on_exit();
}

void EndLeftovers(const std::string& runtime_dir, const common::Logger& log) {
  DIR* const folder = opendir(runtime_dir.c_str());
  if (folder == nullptr) return;
  const absl::Cleanup close = [folder] { closedir(folder); };
  while (const dirent* const entry = readdir(folder)) {
    if (!absl::EndsWith(entry->d_name, kRecordSuffix)) continue;
    if (EndNoted(absl::StrCat(runtime_dir, "/", entry->d_name))) {
      log.Warning("ended a child that a former orchestrator had left",
                  {{"record", std::string(entry->d_name)}});
    }
  }
}

}  // namespace machine::orchestrator
