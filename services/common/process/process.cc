#include "services/common/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

// glibc 2.36 declares these without the language linkage that C++ needs.
extern "C" {
#include <sys/pidfd.h>
}

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/process/poll_until.h"
#include "services/common/status/status.h"

extern char** environ;

namespace machine::common {
namespace {

/// posix_spawn's two structures.
class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t* actions() { return &actions_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> PointersTo(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Servers ignore SIGPIPE and block others; a child must not inherit that.
void ResetSignals(posix_spawnattr_t* attributes, bool new_session) {
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(attributes, &none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2,
                           SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU}) {
    sigaddset(&defaults, signal);
  }
  posix_spawnattr_setsigdefault(attributes, &defaults);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(attributes, static_cast<int16_t>(flags));
}

/// The child's descriptors, collected first: a source may have a number that is another's target.
class FdPlan {
 public:
  absl::Status AddStdio(int target, const Stdio& stdio, UniqueFd& parent_end) {
    switch (stdio.kind()) {
      case Stdio::Kind::kInherit:
        return absl::OkStatus();
      case Stdio::Kind::kFd:
        return Add(target, stdio.fd());
      case Stdio::Kind::kNull: {
        const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
        if (!null.valid()) return absl::ErrnoToStatus(errno, "opening /dev/null");
        return Add(target, null.get());
      }
      case Stdio::Kind::kPipe: {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "creating a pipe");
        UniqueFd read_end(ends[0]);
        UniqueFd write_end(ends[1]);
        const bool child_reads = target == STDIN_FILENO;
        parent_end = std::move(child_reads ? write_end : read_end);
        return Add(target, child_reads ? read_end.get() : write_end.get());
      }
    }
    return absl::InternalError("unknown kind of stdio");
  }

  absl::Status Add(int target, int source) {
    // Well above every target, so that no dup2() in the child overwrites a source still needed.
    constexpr int kFirstSource = 64;
    if (target < 0 || target >= kFirstSource) {
      return absl::InvalidArgumentError(absl::StrCat("no descriptor ", target, " for a child"));
    }
    UniqueFd copy(fcntl(source, F_DUPFD_CLOEXEC, kFirstSource));
    if (!copy.valid()) {
      return absl::ErrnoToStatus(errno, absl::StrCat("duplicating descriptor ", source));
    }
    sources_[target] = std::move(copy);
    return absl::OkStatus();
  }

  void Apply(posix_spawn_file_actions_t* actions) const {
    int next = STDERR_FILENO + 1;
    for (const auto& [target, source] : sources_) {
      for (; next < target; ++next) posix_spawn_file_actions_addclose(actions, next);
      next = std::max(next, target + 1);
      posix_spawn_file_actions_adddup2(actions, source.get(), target);
    }
    posix_spawn_file_actions_addclosefrom_np(actions, next);
  }

 private:
  std::map<int, UniqueFd> sources_;
};

bool IsProgram(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal == 0) return absl::StrCat("exit status ", exit_code);
  const char* description = sigdescr_np(signal);
  return absl::StrCat("signal ", signal, " (", description == nullptr ? "?" : description, ")");
}

absl::StatusOr<Process> Process::Spawn(const SpawnOptions& options) {
  if (options.argv.empty()) return absl::InvalidArgumentError("no program to start");
  std::string program = options.argv[0];
  if (program.find('/') == std::string::npos) {
    DM_ASSIGN_OR_RETURN(program, FindProgram(program));
  }

  Process process;
  FdPlan plan;
  DM_RETURN_IF_ERROR(plan.AddStdio(STDIN_FILENO, options.stdin_from, process.stdin_));
  DM_RETURN_IF_ERROR(plan.AddStdio(STDOUT_FILENO, options.stdout_to, process.stdout_));
  DM_RETURN_IF_ERROR(plan.AddStdio(STDERR_FILENO, options.stderr_to, process.stderr_));
  for (const auto& [target, source] : options.extra_fds) {
    if (target <= STDERR_FILENO) {
      return absl::InvalidArgumentError("extra_fds are for descriptors above 2");
    }
    DM_RETURN_IF_ERROR(plan.Add(target, source));
  }

  SpawnSetup setup;
  if (options.cwd.has_value()) {
    posix_spawn_file_actions_addchdir_np(setup.actions(), options.cwd->c_str());
  }
  plan.Apply(setup.actions());
  ResetSignals(setup.attributes(), options.new_session);

  const std::vector<char*> argv = PointersTo(options.argv);
  std::vector<char*> env;
  if (options.env.has_value()) env = PointersTo(*options.env);
  const int error = posix_spawn(&process.pid_, program.c_str(), setup.actions(), setup.attributes(),
                                argv.data(), options.env.has_value() ? env.data() : environ);
  if (error != 0) {
    process.pid_ = -1;
    return absl::ErrnoToStatus(error, absl::StrCat("starting ", program));
  }
  process.leads_group_ = options.new_session;
  process.pidfd_.reset(pidfd_open(process.pid_, 0));
  if (!process.pidfd_.valid()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("watching ", program));
  }
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      leads_group_(other.leads_group_),
      detached_(other.detached_),
      exit_(other.exit_),
      stdin_(std::move(other.stdin_)),
      stdout_(std::move(other.stdout_)),
      stderr_(std::move(other.stderr_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  Finish();
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  leads_group_ = other.leads_group_;
  detached_ = other.detached_;
  exit_ = other.exit_;
  stdin_ = std::move(other.stdin_);
  stdout_ = std::move(other.stdout_);
  stderr_ = std::move(other.stderr_);
  return *this;
}

Process::~Process() { Finish(); }

void Process::Finish() {
  if (pid_ < 0 || detached_ || exit_.has_value()) return;
  // By pid, not pidfd: this also runs when the pidfd could not be had. Not yet reaped, so the
  // number cannot belong to another process.
  kill(leads_group_ ? -pid_ : pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<ExitStatus> Process::WaitFor(absl::Time deadline) {
  if (exit_.has_value()) return *exit_;
  if (pid_ < 0) return absl::FailedPreconditionError("no process to wait for");
  pollfd ended = {.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  DM_RETURN_IF_ERROR(
      Annotate(PollUntil({&ended, 1}, deadline), absl::StrCat("waiting for process ", pid_)));
  DM_RETURN_IF_ERROR(Reap());
  return *exit_;
}

absl::Status Process::Reap() {
  siginfo_t info = {};
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0) {
    if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, absl::StrCat("waiting for process ", pid_));
    }
  }
  if (info.si_code == CLD_EXITED) {
    exit_ = ExitStatus{.exit_code = info.si_status, .signal = 0};
  } else {
    exit_ = ExitStatus{.exit_code = -1, .signal = info.si_status};
  }
  return absl::OkStatus();
}

absl::Status Process::Signal(int signal) const {
  if (pidfd_send_signal(pidfd_.get(), signal, nullptr, 0) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("signalling process ", pid_));
}

absl::Status Process::SignalGroup(int signal) const {
  if (!leads_group_ || exit_.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("process ", pid_, " leads no group"));
  }
  if (kill(-pid_, signal) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("signalling process group ", pid_));
}

absl::StatusOr<std::string> FindProgram(absl::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("no program name");
  if (name.find('/') != absl::string_view::npos) {
    std::string path(name);
    if (IsProgram(path)) return path;
    return absl::NotFoundError(absl::StrCat(name, " is not a program"));
  }
  const char* path = std::getenv("PATH");
  for (const absl::string_view folder :
       absl::StrSplit(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path, ':')) {
    // An empty entry would mean the current folder, which anyone may have filled.
    if (folder.empty() || folder[0] != '/') continue;
    std::string candidate = absl::StrCat(folder, "/", name);
    if (IsProgram(candidate)) return candidate;
  }
  return absl::NotFoundError(absl::StrCat(name, " is not on PATH"));
}

}  // namespace machine::common
