#include "services/common/ssh/reactor.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "services/common/clock/clock.h"
#include "services/common/ssh/call_limits.h"

namespace machine::common {
namespace {

// For poll(): rounded up, so that a wait that ends is not too early by a fraction.
int PollTimeoutMs(absl::Duration wait) {
  if (wait == absl::InfiniteDuration()) return -1;
  const int64_t ms = absl::ToInt64Milliseconds(wait + absl::Microseconds(999));
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 60'000));
}

// Signals of the process are for its other threads.
void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

absl::Duration SteadyNow() { return Clock::Real().Steady(); }

SshReactor::SshReactor(const SshLoopOptions& options)
    : options_(options), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] {
        BlockSignals();
        Run();
      }) {}

SshReactor::~SshReactor() { Shutdown(); }

bool SshReactor::Post(absl::AnyInvocable<void()> command) {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return false;
    commands_.push_back(std::move(command));
    if (commands_.size() > 1) return true;  // The thread has been woken already.
  }
  eventfd_write(wake_fd_.get(), 1);
  return true;
}

void SshReactor::Add(std::shared_ptr<Pollable> pollable) {
  pollables_.push_back(std::move(pollable));
}

void SshReactor::Shutdown() {
  {
    absl::MutexLock lock(&mu_);
    stop_requested_ = true;
  }
  eventfd_write(wake_fd_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

bool SshReactor::RunCommands() {
  std::vector<absl::AnyInvocable<void()>> commands;
  bool go_on = true;
  {
    absl::MutexLock lock(&mu_);
    commands.swap(commands_);
    stopped_ = stop_requested_;
    go_on = !stopped_;
  }
  for (auto& command : commands) {
    command();
    command = nullptr;  // What it holds is released in order, too.
  }
  return go_on;
}

void SshReactor::Run() {
  while (RunCommands()) {
    StepDue(Wait());
    std::erase_if(pollables_, [](const auto& pollable) { return pollable->finished(); });
  }
  const absl::Status cause = Unreachable("the SSH connections of this process are being closed");
  for (const auto& pollable : pollables_) pollable->Stop(cause);
  pollables_.clear();
}

std::vector<short> SshReactor::Wait() {
  std::vector<pollfd> fds;
  fds.reserve(pollables_.size() + 1);
  absl::Duration wake_at = absl::InfiniteDuration();
  for (const auto& pollable : pollables_) {
    fds.push_back({pollable->fd(), pollable->poll_events(), 0});
    wake_at = std::min(wake_at, pollable->wake_at());
  }
  fds.push_back({wake_fd_.get(), POLLIN, 0});
  const absl::Duration wait = wake_at == absl::InfiniteDuration() ? wake_at : wake_at - SteadyNow();
  std::vector<short> revents(pollables_.size(), 0);
  if (poll(fds.data(), fds.size(), PollTimeoutMs(wait)) <= 0) return revents;
  for (size_t i = 0; i < revents.size(); ++i) revents[i] = fds[i].revents;
  eventfd_t ignored = 0;
  if (fds.back().revents != 0) eventfd_read(wake_fd_.get(), &ignored);
  return revents;
}

void SshReactor::StepDue(const std::vector<short>& revents) {
  // A step may add pollables, which get their first step in the next round.
  for (size_t i = 0; i < revents.size(); ++i) {
    const std::shared_ptr<Pollable> pollable = pollables_[i];
    const absl::Duration now = SteadyNow();
    if (revents[i] != 0 || pollable->wake_at() <= now) pollable->Step(now);
  }
}

}  // namespace machine::common
