// The thread that owns all libssh objects: poll() over sockets, deadlines and a command queue.
#ifndef SERVICES_COMMON_SSH_REACTOR_H_
#define SERVICES_COMMON_SSH_REACTOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"
#include "services/common/ssh/ssh.h"

namespace machine::common {

/// Something the reactor drives. All methods are called on its thread.
class Pollable {
 public:
  virtual ~Pollable() = default;

  /// What to wait for; -1 and 0 for nothing.
  virtual int fd() const = 0;
  virtual short poll_events() const = 0;
  /// Step() is due at this steady time even without an event; a past one means at once.
  virtual absl::Duration wake_at() const = 0;
  /// Makes what progress is possible, without blocking.
  virtual void Step(absl::Duration now) = 0;
  /// True when the reactor may forget it.
  virtual bool finished() const = 0;
  /// The reactor ends: finish at once with `cause`.
  virtual void Stop(const absl::Status& cause) = 0;
};

/// Steady time, as Pollable uses it.
absl::Duration SteadyNow();

class SshReactor final {
 public:
  explicit SshReactor(const SshLoopOptions& options);
  ~SshReactor();

  SshReactor(const SshReactor&) = delete;
  SshReactor& operator=(const SshReactor&) = delete;

  /// Runs `command` on the thread, in the order of the calls; false when the reactor has ended.
  /// Thread-safe; never blocks.
  bool Post(absl::AnyInvocable<void()> command);

  /// Drives `pollable` until it is finished. On the thread only.
  void Add(std::shared_ptr<Pollable> pollable);

  /// Stops everything and joins the thread; once. Not on the thread.
  void Shutdown();

  const SshLoopOptions& options() const { return options_; }

  std::atomic<int64_t> connections_opened{0};
  std::atomic<int64_t> connections_open{0};

 private:
  void Run();
  bool RunCommands();
  void StepDue(const std::vector<short>& revents);
  std::vector<short> Wait();

  const SshLoopOptions options_;
  const UniqueFd wake_fd_;
  std::vector<std::shared_ptr<Pollable>> pollables_;  // Of the thread.
  absl::Mutex mu_;
  std::vector<absl::AnyInvocable<void()>> commands_ ABSL_GUARDED_BY(mu_);
  bool stop_requested_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace machine::common

#endif  // SERVICES_COMMON_SSH_REACTOR_H_
