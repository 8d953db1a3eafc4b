#include "services/common/rpc/executor.h"

#include "absl/time/clock.h"

namespace machine::common {

Executor::Executor(int max_threads)
    : max_threads_(max_threads), timer_thread_([this] { TimerLoop(); }) {}

Executor::~Executor() {
  {
    absl::MutexLock lock(&mu_);
    timer_stopping_ = true;
  }
  timer_thread_.join();  // First: it may start workers.
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  // Tasks may still start threads while the queue drains; take them until there are none.
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      threads.swap(threads_);
    }
    if (threads.empty()) break;
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
}

void Executor::Run(Task task) {
  absl::MutexLock lock(&mu_);
  RunLocked(std::move(task));
}

void Executor::RunLocked(Task task) {
  queue_.push_back(std::move(task));
  const bool enough = idle_ >= static_cast<int>(queue_.size());
  if (!enough && static_cast<int>(threads_.size()) < max_threads_) {
    threads_.emplace_back([this] { Worker(); });
  }
}

void Executor::RunAfter(absl::Duration delay, Task task) {
  absl::MutexLock lock(&mu_);
  if (timer_stopping_) return;
  timers_.emplace(absl::Now() + delay, std::move(task));
}

int64_t Executor::load() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int64_t>(queue_.size()) + running_;
}

void Executor::Worker() {
  absl::MutexLock lock(&mu_);
  const auto has_work = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return !queue_.empty() || stopping_;
  };
  for (;;) {
    ++idle_;
    mu_.Await(absl::Condition(&has_work));
    --idle_;
    if (queue_.empty()) return;  // Stopping, and nothing is left.
    Task task = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    mu_.Unlock();
    std::move(task)();
    task = nullptr;  // Its captures may take locks when they go.
    mu_.Lock();
    --running_;
  }
}

void Executor::TimerLoop() {
  absl::MutexLock lock(&mu_);
  while (!timer_stopping_) {
    const absl::Time first = timers_.empty() ? absl::InfiniteFuture() : timers_.begin()->first;
    const auto earlier = [this, first]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
      return timer_stopping_ || (!timers_.empty() && timers_.begin()->first < first);
    };
    mu_.AwaitWithDeadline(absl::Condition(&earlier), first);
    while (!timers_.empty() && timers_.begin()->first <= absl::Now()) {
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      RunLocked(std::move(task));
    }
  }
  timers_.clear();
}

void Strand::Run(Task task) {
  {
    absl::MutexLock lock(&mu_);
    queue_.push_back(std::move(task));
    if (active_) return;
    active_ = true;
  }
  executor_.Run([self = shared_from_this()] { self->Drain(); });
}

void Strand::Drain() {
  for (;;) {
    Task task;
    {
      absl::MutexLock lock(&mu_);
      if (queue_.empty()) {
        active_ = false;
        return;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    std::move(task)();
  }
}

}  // namespace machine::common
