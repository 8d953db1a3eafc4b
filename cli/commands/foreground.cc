#include "cli/commands/foreground.h"

#include <signal.h>
#include <unistd.h>

#include <climits>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/process/process.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

// As ssh reports a session that a signal ended.
constexpr int kSignalExit = 255;

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
  const auto interrupt = signal(SIGINT, SIG_IGN);
  const auto quit = signal(SIGQUIT, SIG_IGN);
  const auto restore = absl::MakeCleanup([&] {
    signal(SIGINT, interrupt);
    signal(SIGQUIT, quit);
  });
  DM_ASSIGN_OR_RETURN(common::Process process, common::Process::Spawn(options));
  DM_ASSIGN_OR_RETURN(const common::ExitStatus exit, process.Wait());
  return exit.signal == 0 ? exit.exit_code : kSignalExit;
}

}  // namespace machine::cli
