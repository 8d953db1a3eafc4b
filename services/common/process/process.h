// Child processes: argument vectors only, never a shell.
#ifndef SERVICES_COMMON_PROCESS_PROCESS_H_
#define SERVICES_COMMON_PROCESS_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/process/unique_fd.h"

namespace machine::common {

/// Where one of a child's standard streams goes.
class Stdio {
 public:
  enum class Kind { kInherit, kNull, kPipe, kFd };

  /// The parent's own stream.
  static Stdio Inherit() { return Stdio(Kind::kInherit, -1); }
  /// /dev/null.
  static Stdio Null() { return Stdio(Kind::kNull, -1); }
  /// A new pipe; the parent's end is in the Process.
  static Stdio Pipe() { return Stdio(Kind::kPipe, -1); }
  /// A descriptor of the parent, borrowed until Spawn returns.
  static Stdio Fd(int fd) { return Stdio(Kind::kFd, fd); }

  Kind kind() const { return kind_; }
  int fd() const { return fd_; }

 private:
  Stdio(Kind kind, int fd) : kind_(kind), fd_(fd) {}

  Kind kind_;
  int fd_;
};

/// What to start, and with what.
struct SpawnOptions {
  /// The program and its arguments. A program without '/' is looked up on PATH; a relative path
  /// with '/' is relative to `cwd`. Never put a secret here: every user of the host can read it.
  std::vector<std::string> argv;
  /// "NAME=value" each; nothing else is then in the environment. Default: the parent's.
  std::optional<std::vector<std::string>> env;
  /// Default: the parent's.
  std::optional<std::string> cwd;
  Stdio stdin_from = Stdio::Null();
  Stdio stdout_to = Stdio::Inherit();
  Stdio stderr_to = Stdio::Inherit();
  /// Descriptor in the child (3 or above) -> descriptor of the parent, borrowed until Spawn
  /// returns. Every other descriptor is closed in the child, also those without FD_CLOEXEC.
  std::map<int, int> extra_fds;
  /// Leads a session and process group of its own, without a terminal: the user's Ctrl-C does not
  /// reach it, and SignalGroup() reaches its descendants.
  bool new_session = false;
};

/// How a child ended: exactly one of the two is meaningful.
struct ExitStatus {
  /// 0 to 255; -1 when a signal ended it.
  int exit_code = -1;
  /// 0 when it exited.
  int signal = 0;

  bool ok() const { return exit_code == 0; }
  /// "exit status 1" or "signal 9 (Killed)".
  std::string ToString() const;
};

/// A child of this process. The destructor of one that was neither waited for nor detached kills it
/// (its whole group with `new_session`) and reaps it, so no zombie is left.
/// Movable. Signal() may run beside Wait(); all else needs one thread at a time.
class Process {
 public:
  /// Starts a child with default signal dispositions and an empty signal mask.
  /// NOT_FOUND, PERMISSION_DENIED …: as the system says, naming the program.
  static absl::StatusOr<Process> Spawn(const SpawnOptions& options);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  /// Readable once the child has ended; for poll(). Owned by this object.
  int pidfd() const { return pidfd_.get(); }

  /// The parent's ends of the pipes asked for; take them, or close them by reset().
  UniqueFd& stdin_fd() { return stdin_; }
  UniqueFd& stdout_fd() { return stdout_; }
  UniqueFd& stderr_fd() { return stderr_; }

  /// Blocks until the child has ended, and reaps it. Repeated calls give the same answer.
  absl::StatusOr<ExitStatus> Wait() { return WaitFor(absl::InfiniteFuture()); }
  /// As Wait(); DEADLINE_EXCEEDED when the child still runs at `deadline`.
  absl::StatusOr<ExitStatus> WaitFor(absl::Time deadline);

  /// Sends `signal` to the child; NOT_FOUND once it has been reaped. Never hits another process.
  absl::Status Signal(int signal) const;
  /// Sends `signal` to the child's group; only with `new_session`, and before it is reaped.
  absl::Status SignalGroup(int signal) const;

  /// Lets the child outlive this object. It stays a zombie after its end until this process ends,
  /// so this is for parents that end soon.
  void Detach() { detached_ = true; }

 private:
  Process() = default;
  absl::Status Reap();
  void Finish();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  bool leads_group_ = false;
  bool detached_ = false;
  std::optional<ExitStatus> exit_;
  UniqueFd stdin_;
  UniqueFd stdout_;
  UniqueFd stderr_;
};

/// The absolute path of program `name` on PATH; a `name` with '/' is only checked.
/// NOT_FOUND when there is none that may be executed.
absl::StatusOr<std::string> FindProgram(absl::string_view name);

}  // namespace machine::common

#endif  // SERVICES_COMMON_PROCESS_PROCESS_H_
