// One running child process: a driver, or the provisioner. See proto/driver/v1/bootstrap.proto.
#ifndef SERVICES_ORCHESTRATOR_DRIVERS_CHILD_H_
#define SERVICES_ORCHESTRATOR_DRIVERS_CHILD_H_

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

  /// Closes the lifeline, then SIGTERM after half of `grace`, SIGKILL at its end. Blocks.
  void Stop(absl::Duration grace);

 private:
  Child(common::Process process, common::Channel channel, common::UniqueFd lifeline);
  void PassOnLog(common::UniqueFd stderr_fd, common::Logger log,
                 absl::AnyInvocable<void()> on_exit);

  common::Process process_;
  common::Channel channel_;
  common::UniqueFd lifeline_;
  mutable absl::Mutex mu_;
  bool alive_ ABSL_GUARDED_BY(mu_) = true;
  std::deque<std::string> tail_ ABSL_GUARDED_BY(mu_);
  std::thread log_thread_;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_DRIVERS_CHILD_H_
