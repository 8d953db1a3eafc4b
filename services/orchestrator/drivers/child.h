// One running child process: a driver, or the provisioner. See proto/driver/v1/bootstrap.proto.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_CHILD_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_CHILD_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/common/log/log.h"
#include "services/common/process/process.h"
#include "services/common/rpc/channel.h"
#include "services/orchestrator/drivers/log_limit.h"

namespace machine::orchestrator {

struct ChildOptions {
  /// The executable.
  std::string program;
  /// "unix:/path" on which it is to listen.
  std::string address;
  /// Folder for its instances' bulky files.
  std::string data_dir;
  std::string orchestrator_id;
  /// Least severity that it logs.
  std::string log_level = "info";
};

/// A child that answered its bootstrap. Its standard error is passed on to our log, and its
/// standard input is its lifeline: it ends when we do.
class Child {
 public:
  /// Starts the program and waits for its result, at most 10 s. Blocks.
  /// Errors: UNAVAILABLE DRIVER_CRASHED with what it printed last; NOT_FOUND.
  static absl::StatusOr<std::shared_ptr<Child>> Start(const ChildOptions& options,
                                                      const common::Logger& log,
                                                      absl::AnyInvocable<void()> on_exit);
  ~Child();

  const common::Channel& channel() const { return channel_; }
  pid_t pid() const { return process_.pid(); }
  bool alive() const;

  /// Its last lines on standard error.
  std::string LogTail() const;

  /// Ends it at once, as one that does harm. `why` is for EndText().
  void Kill(absl::string_view why);
  /// Why it has ended: "it was killed: it did not answer for 30s", "it ended with signal 11 (…)".
  std::string EndText() const;
  /// Bytes of memory that it has now; 0 when it has ended.
  int64_t ResidentBytes() const;

  /// Closes the lifeline, then SIGTERM after half of `grace`, SIGKILL at its end. Blocks.
  void Stop(absl::Duration grace);

 private:
  Child(common::Process process, common::Channel channel, common::UniqueFd lifeline,
        std::string record_path);
  void PassOnLog(common::UniqueFd stderr_fd, const common::Logger& log,
                 absl::AnyInvocable<void()> on_exit);
  // Until the end of its standard error, or its own: a descendant may keep that open.
  void ReadLog(int stderr_fd, const common::Logger& log);
  void PassOnLine(absl::string_view line, const common::Logger& log);

  common::Process process_;
  common::Channel channel_;
  common::UniqueFd lifeline_;
  mutable absl::Mutex mu_;
  bool alive_ ABSL_GUARDED_BY(mu_) = true;
  std::deque<std::string> tail_ ABSL_GUARDED_BY(mu_);
  std::string killed_because_ ABSL_GUARDED_BY(mu_);
  std::string exit_text_ ABSL_GUARDED_BY(mu_);
  // Where its number is noted; see EndLeftovers().
  const std::string record_path_;
  LogLimit log_limit_;  // Of the log thread.
  std::thread log_thread_;
};

/// Kills the children that an orchestrator left which was itself killed: they end by themselves,
/// but one that was stopped or hangs does not. `runtime_dir` is the folder of their sockets.
void EndLeftovers(const std::string& runtime_dir, const common::Logger& log);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_CHILD_H_
