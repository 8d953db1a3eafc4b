#include "services/common/process/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "services/common/clock/clock.h"
#include "services/common/process/poll_until.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kCancelPoll = absl::Milliseconds(20);

void SetNonBlocking(const UniqueFd& fd) {
  if (fd.valid()) fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

/// One run: moves bytes until the program has ended and its output is read.
class Conversation {
 public:
  Conversation(Process process, const std::string& name, const RunOptions& options)
      : process_(std::move(process)),
        name_(name),
        options_(options),
        clock_(Clock::Real()),
        end_(clock_.Steady() + options.timeout),
        unsent_(options.stdin_data) {
    SetNonBlocking(process_.stdin_fd());
    SetNonBlocking(process_.stdout_fd());
    SetNonBlocking(process_.stderr_fd());
    if (unsent_.empty()) process_.stdin_fd().reset();
  }

  absl::StatusOr<RunResult> Finish() {
    if (absl::Status status = Pump(); !status.ok()) {
      Stop();
      return status;
    }
    DM_ASSIGN_OR_RETURN(const ExitStatus exit, process_.Wait());
    result_.exit_code = exit.exit_code;
    result_.signal = exit.signal;
    return std::move(result_);
  }

 private:
  absl::Status Pump() {
    while (true) {
      DM_RETURN_IF_ERROR(CheckLimits());
      // A negative descriptor, of a stream that is closed, is skipped by poll().
      std::array<pollfd, 4> fds = {{
          {process_.pidfd(), POLLIN, 0},
          {process_.stdin_fd().get(), POLLOUT, 0},
          {process_.stdout_fd().get(), POLLIN, 0},
          {process_.stderr_fd().get(), POLLIN, 0},
      }};
      absl::Status polled = PollUntil(absl::MakeSpan(fds), absl::Now() + NextWait());
      if (!polled.ok() && !absl::IsDeadlineExceeded(polled)) return polled;
      if (fds[0].revents != 0) return Drain();
      if (fds[1].revents != 0) Send();
      if (fds[2].revents != 0) {
        DM_RETURN_IF_ERROR(Receive(process_.stdout_fd(), result_.stdout_data).status());
      }
      if (fds[3].revents != 0) {
        DM_RETURN_IF_ERROR(Receive(process_.stderr_fd(), result_.stderr_data).status());
      }
    }
  }

  /// Takes what is in the pipes: all that the program itself printed, now that it has ended. The
  /// end of file may never come, because a descendant that lives on can hold the pipes.
  absl::Status Drain() {
    for (bool more = true; more;) {
      DM_ASSIGN_OR_RETURN(more, Receive(process_.stdout_fd(), result_.stdout_data));
    }
    for (bool more = true; more;) {
      DM_ASSIGN_OR_RETURN(more, Receive(process_.stderr_fd(), result_.stderr_data));
    }
    return absl::OkStatus();
  }

  absl::Status CheckLimits() const {
    if (options_.cancelled && options_.cancelled()) {
      return absl::CancelledError(absl::StrCat(name_, " was cancelled"));
    }
    if (clock_.Steady() >= end_) {
      return absl::DeadlineExceededError(
          absl::StrCat(name_, " did not end within ", absl::FormatDuration(options_.timeout)));
    }
    return absl::OkStatus();
  }

  absl::Duration NextWait() const {
    const absl::Duration left = end_ - clock_.Steady();
    return options_.cancelled ? std::min(left, kCancelPoll) : left;
  }

  void Send() {
    const ssize_t written = WriteQuietly(process_.stdin_fd().get(), unsent_);
    if (written >= 0) unsent_.remove_prefix(static_cast<size_t>(written));
    // A program may end without reading its input: that is its business, not an error.
    const bool gone = written < 0 && errno != EAGAIN && errno != EINTR;
    if (unsent_.empty() || gone) process_.stdin_fd().reset();
  }

  /// Reads once; false when there is nothing more for now.
  absl::StatusOr<bool> Receive(UniqueFd& fd, std::string& into) {
    if (!fd.valid()) return false;
    std::array<char, 64 << 10> buffer;
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    if (count < 0) {
      if (errno == EINTR) return true;
      if (errno == EAGAIN) return false;
      return absl::ErrnoToStatus(errno, absl::StrCat("reading from ", name_));
    }
    if (count == 0) {
      fd.reset();
      return false;
    }
    if (static_cast<int64_t>(into.size()) + count > options_.max_output_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat(name_, " printed more than ", options_.max_output_bytes, " bytes"));
    }
    into.append(buffer.data(), static_cast<size_t>(count));
    return true;
  }

  void Stop() {
    // The pipes are closed first: a program that waits for room in them can then end.
    process_.stdin_fd().reset();
    process_.stdout_fd().reset();
    process_.stderr_fd().reset();
    process_.SignalGroup(SIGTERM).IgnoreError();
    pollfd ended = {process_.pidfd(), POLLIN, 0};
    PollUntil({&ended, 1}, absl::Now() + options_.kill_after).IgnoreError();
    // Also when the program itself has ended: others of its group may not have.
    process_.SignalGroup(SIGKILL).IgnoreError();
    process_.Wait().IgnoreError();
  }

  Process process_;
  const std::string& name_;
  const RunOptions& options_;
  const Clock& clock_;
  const absl::Duration end_;
  absl::string_view unsent_;
  RunResult result_;
};

}  // namespace

absl::StatusOr<RunResult> RunProgram(const std::vector<std::string>& argv,
                                     const RunOptions& options) {
  SpawnOptions spawn;
  spawn.argv = argv;
  spawn.env = options.env;
  spawn.cwd = options.cwd;
  spawn.stdin_from = options.stdin_data.empty() ? Stdio::Null() : Stdio::Pipe();
  spawn.stdout_to = Stdio::Pipe();
  spawn.stderr_to = Stdio::Pipe();
  spawn.new_session = true;
  DM_ASSIGN_OR_RETURN(Process process, Process::Spawn(spawn));
  return Conversation(std::move(process), argv[0], options).Finish();
}

}  // namespace machine::common
