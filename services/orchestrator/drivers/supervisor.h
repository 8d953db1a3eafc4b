// Starts child processes on first use, one for each program, and starts them again when they die.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_SUPERVISOR_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_SUPERVISOR_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
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
};

/// Thread-safe. A child that dies is started again on the next use: at once the first time, then
/// after 1 s doubling to 60 s. After 5 deaths in 60 s it counts as broken: calls fail at once with
/// DRIVER_CRASHED and its last lines, until 5 minutes have passed or its program changes.
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

  /// Stops children that nobody has used for `idle`.
  void StopIdle(absl::Duration idle);

  /// Stops all children and refuses to start more. Blocks.
  void Shutdown();

 private:
  struct Entry;

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
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_SUPERVISOR_H_
