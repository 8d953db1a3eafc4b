#include "services/orchestrator/drivers/child.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "driver/v1/bootstrap.pb.h"
#include "services/common/crypto/random.h"
#include "services/common/process/framed.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(10);
constexpr size_t kTailLines = 20;
constexpr int64_t kMaxResultBytes = 64 << 10;
constexpr int kResultFd = 3;

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
  auto child = std::shared_ptr<Child>(new Child(
      std::move(process), common::Channel::Local(options.address, cookie), std::move(lifeline)));
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
    return Crashed(options.program, absl::StrCat(status.message(), "\n", child->LogTail()));
  }
  if (!result.error().empty()) {
    child->Stop(absl::ZeroDuration());
    return Crashed(options.program, result.error());
  }
  return child;
}

Child::Child(common::Process process, common::Channel channel, common::UniqueFd lifeline)
    : process_(std::move(process)), channel_(std::move(channel)), lifeline_(std::move(lifeline)) {}

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

void Child::PassOnLog(common::UniqueFd stderr_fd, common::Logger log,
                      absl::AnyInvocable<void()> on_exit) {
  std::string rest;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = read(stderr_fd.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    rest.append(buffer.data(), static_cast<size_t>(size));
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
      const std::string line = rest.substr(0, end);
      rest.erase(0, end + 1);
      {
        absl::MutexLock lock(&mu_);
        tail_.push_back(line);
        if (tail_.size() > kTailLines) tail_.pop_front();
      }
      // A line of ours is JSON already; what a library printed is wrapped.
      if (absl::StartsWith(line, "{")) {
        const std::string whole = line + "\n";
        if (write(STDERR_FILENO, whole.data(), whole.size()) < 0) continue;
      } else if (!line.empty()) {
        log.Warning(line, {{"pid", absl::StrCat(process_.pid())}});
      }
    }
  }
  // End of file: the child has closed it, so it has ended or is about to.
  process_.Wait().status().IgnoreError();
  {
    absl::MutexLock lock(&mu_);
    alive_ = false;
  }
  if (on_exit) on_exit();
}

}  // namespace machine::orchestrator
