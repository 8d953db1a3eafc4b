// Starts child processes on first use, one for each program, and starts them again when they die.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_SUPERVISOR_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_SUPERVISOR_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "machine/v1/drivers.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/executor.h"
#include "services/orchestrator/drivers/child.h"

namespace machine::orchestrator {

struct SupervisorOptions {
  /// Folder of the programs.
  std::string libexec_dir;
  /// Folder of the children's sockets, mode 0700.
  std::string runtime_dir;
  /// Folder of the instances' bulky files.
  std::string data_dir;
  std::string orchestrator_id;
  std::string log_level = "info";
  /// What one child may have in memory; its own children, such as virtual machines, do not count.
  int64_t memory_limit_bytes = int64_t{2} << 30;
  /// How often that is looked at.
  absl::Duration watch_interval = absl::Milliseconds(500);
  /// How often a child is asked for a sign of life, and how long that may take.
  absl::Duration probe_interval = absl::Seconds(10);
  /// How many answers in a row may be missing.
  int max_missing_answers = 3;
};

/// What a child is doing, and what went wrong with it last.
struct ChildStatus {
  machine::v1::DriverInfo::State state = machine::v1::DriverInfo::ABSENT;
  /// 0 when there is none.
  pid_t pid = 0;
  /// How often it was started again after it had ended unexpectedly.
  int32_t restarts = 0;
  /// UNAVAILABLE DRIVER_CRASHED with its last lines; OK when nothing did.
  absl::Status last_error;
};

/// Thread-safe. A child that dies is started again on the next use: at once the first time, then
/// after 1 s doubling to 60 s. After 5 deaths in 60 s it counts as broken: calls fail at once with
/// DRIVER_CRASHED and its last lines, until 5 minutes have passed or its program changes. One that
/// hangs or takes too much memory is killed, which is a death like any other.
class Supervisor {
 public:
  using Ready = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<Child>>)>;

  Supervisor(SupervisorOptions options, common::Executor& executor, common::Metrics& metrics,
             common::Logger log, const common::Clock& clock);
  ~Supervisor();

  /// Gives a running child of `program` (a file name in libexec_dir), starting it if need be.
  /// `ready` runs on the executor. The child is not stopped while the pointer is held.
  /// Errors: NOT_FOUND DRIVER_NOT_FOUND; UNAVAILABLE DRIVER_CRASHED.
  void Get(absl::string_view program, Ready ready);

  /// File names in libexec_dir that begin with `prefix`.
  std::vector<std::string> Programs(absl::string_view prefix) const;

  /// Of a program that may never have been started.
  ChildStatus Status(absl::string_view program);

  /// Stops children that nobody has used for `idle`.
  void StopIdle(absl::Duration idle);

  /// Stops all children and refuses to start more. Blocks.
  void Shutdown();

 private:
  struct Entry;

  // Looks after the children that run, on a thread of its own.
  void Watch();
  void WatchOnce();
  void Probe(const std::string& program, const std::shared_ptr<Child>& child);
  void ProbeEnded(const std::string& program, const std::weak_ptr<Child>& child, bool answered);
  bool AnyChildLocked() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void NoteExitLocked(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status BrokenLocked(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StartLocked(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StartOnExecutor(const std::string& program);
  void OnExit(const std::string& program);
  void CountCrashLocked(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Duration BackoffLocked(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const SupervisorOptions options_;
  common::Executor& executor_;
  common::Metrics& metrics_;
  const common::Logger log_;
  const common::Clock& clock_;
  absl::Mutex mu_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  // Questions for a sign of life that are not answered yet.
  int probes_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread watcher_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_SUPERVISOR_H_
