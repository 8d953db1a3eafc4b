// Threads for work that may block. gRPC's reactions hand everything that is not instant to one of
// these: gRPC runs only max(2, cores / 2) reactions at once (gRFC L67), so a blocked reaction
// stalls the whole server.
#ifndef SERVICES_COMMON_RPC_EXECUTOR_H_
#define SERVICES_COMMON_RPC_EXECUTOR_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace machine::common {

using Task = absl::AnyInvocable<void()>;

/// A pool that starts threads as tasks come, up to a limit, and queues beyond it. Thread-safe.
class Executor {
 public:
  explicit Executor(int max_threads);
  /// Drops timers that are not due, runs everything queued, and joins.
  ~Executor();

  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Runs `task` on some thread, as soon as one is free.
  void Run(Task task);

  /// Runs `task` once `delay` has passed by the steady clock. Delays are not cut short by load.
  void RunAfter(absl::Duration delay, Task task);

  /// Tasks queued or running now.
  int64_t load() const;

 private:
  void Worker();
  void TimerLoop();
  void RunLocked(Task task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int max_threads_;
  mutable absl::Mutex mu_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  std::multimap<absl::Time, Task> timers_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mu_);
  int idle_ ABSL_GUARDED_BY(mu_) = 0;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool timer_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread timer_thread_;
};

/// Runs tasks one after the other, in the order they were given, on an Executor. Thread-safe.
/// Cheap: one for each operation or stream. Tasks keep the strand alive.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  explicit Strand(Executor& executor) : executor_(executor) {}

  /// Call on a shared_ptr-owned strand only.
  void Run(Task task);

 private:
  void Drain();

  Executor& executor_;
  absl::Mutex mu_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  bool active_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_EXECUTOR_H_
