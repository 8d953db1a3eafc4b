#include "cli/commands/foreground.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/process/process.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// As ssh reports a session that a signal ended.
constexpr int kSignalExit = 255;

// A signal handler can reach nothing but statics.
std::atomic<pid_t> foreground = 0;
std::atomic<int> passed_on = 0;

void PassOn(int signal) {
  const int before = errno;
  passed_on = signal;
  if (const pid_t child = foreground.load(); child > 0) kill(child, signal);
  errno = before;
}

// What signals do while a program is in the foreground, and then again what they did before. The
// terminal itself sends those of its keys to that program, which ends by them or not; whoever ends
// this one means both.
class ForegroundSignals {
 public:
  ForegroundSignals() {
    foreground = 0;
    passed_on = 0;
    Set(SIGINT, SIG_IGN, before_[0]);
    Set(SIGQUIT, SIG_IGN, before_[1]);
    Set(SIGTERM, PassOn, before_[2]);
    Set(SIGHUP, PassOn, before_[3]);
  }
  ~ForegroundSignals() {
    foreground = 0;
    sigaction(SIGINT, &before_[0], nullptr);
    sigaction(SIGQUIT, &before_[1], nullptr);
    sigaction(SIGTERM, &before_[2], nullptr);
    sigaction(SIGHUP, &before_[3], nullptr);
  }
  ForegroundSignals(const ForegroundSignals&) = delete;
  ForegroundSignals& operator=(const ForegroundSignals&) = delete;

  static void SetChild(pid_t child) {
    foreground = child;
    // One that came before there was a child.
    if (const int signal = passed_on.load(); signal != 0) kill(child, signal);
  }

 private:
  static void Set(int signal, void (*handler)(int), struct sigaction& before) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, &before);
    // As under nohup.
    if (before.sa_handler == SIG_IGN) sigaction(signal, &before, nullptr);
  }

  struct sigaction before_[4] = {};
};

}  // namespace

std::optional<std::string> FindInPath(const Environment& env, absl::string_view name) {
  const std::string path = env.Get("PATH");
  for (absl::string_view folder : absl::StrSplit(path, ':', absl::SkipEmpty())) {
    std::string file = absl::StrCat(folder, "/", name);
    if (access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

std::string OwnProgram() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

absl::StatusOr<int> RunInForeground(const std::vector<std::string>& argv) {
  common::SpawnOptions options;
  options.argv = argv;
  options.stdin_from = common::Stdio::Inherit();
  const ForegroundSignals signals;
  DM_ASSIGN_OR_RETURN(common::Process process, common::Process::Spawn(options));
  ForegroundSignals::SetChild(process.pid());
  DM_ASSIGN_OR_RETURN(const common::ExitStatus exit, process.Wait());
  return exit.signal == 0 ? exit.exit_code : kSignalExit;
}

}  // namespace machine::cli
