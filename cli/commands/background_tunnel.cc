#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/commands/foreground.h"
#include "cli/commands/tunnel.h"
#include "services/common/file/file.h"
#include "services/common/legacy/machine_config.h"
#include "services/common/process/process.h"
#include "services/common/process/process_id.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

constexpr char kIdleExit[] = "1h";
constexpr int kStartTimeoutMs = 15'000;

// The address of a tunnel that still runs; empty when there is none.
std::string RunningTunnel(const std::string& path, int port) {
  const auto file = nlohmann::json::parse(common::ReadFile(path).value_or(""), nullptr,
                                          /*allow_exceptions=*/false);
  if (!file.is_object() || file.value("port", 0) != port) return "";
  const bool alive = common::IsAlive(file.value("pid", 0), file.value("start_time", int64_t{0}));
  return alive ? file.value("address", "") : "";
}

// The first line that `fd` gives.
absl::StatusOr<std::string> ReadLine(int fd) {
  std::string line;
  while (!absl::StrContains(line, '\n')) {
    pollfd event = {.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&event, 1, kStartTimeoutMs) == 0) {
      return absl::DeadlineExceededError("the tunnel does not start");
    }
    char buffer[1024];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::UnavailableError("the tunnel ended while it started");
    line.append(buffer, static_cast<size_t>(got));
  }
  return line.substr(0, line.find('\n'));
}

absl::StatusOr<std::string> StartTunnel(const CommandContext& context, const std::string& machine,
                                        int port, const std::string& path) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const common::UniqueFd lines(ends[0]);
  common::UniqueFd child_end(ends[1]);
  common::SpawnOptions spawn;
  spawn.argv = {OwnProgram()};
  spawn.argv.insert(spawn.argv.end(), context.global_flags.begin(), context.global_flags.end());
  spawn.argv.insert(spawn.argv.end(),
                    {"tunnel", "--listen=127.0.0.1:0", absl::StrCat("--idle-exit=", kIdleExit),
                     machine, absl::StrCat(port)});
  spawn.cwd.emplace("/");  // Keeps no folder of the user busy.
  spawn.stdout_to = common::Stdio::Fd(child_end.get());
  spawn.stderr_to = common::Stdio::Null();
  spawn.new_session = true;
  DM_ASSIGN_OR_RETURN(common::Process process, common::Process::Spawn(spawn));
  child_end.reset();
  DM_ASSIGN_OR_RETURN(const std::string line, ReadLine(lines.get()));
  absl::string_view address = line;
  absl::ConsumePrefix(&address, "Listening on ");
  DM_ASSIGN_OR_RETURN(const int64_t start_time, common::ProcessStartTime(process.pid()));
  const nlohmann::json file = {{"pid", process.pid()},
                               {"start_time", start_time},
                               {"port", port},
                               {"address", std::string(address)}};
  process.Detach();
  DM_RETURN_IF_ERROR(common::WriteFileAtomically(path, file.dump(), 0600, {.fsync = false}));
  return std::string(address);
}

}  // namespace

absl::StatusOr<std::string> BackgroundTunnel(CommandContext& context, const std::string& machine,
                                             int port) {
  const std::string folder = common::MachineFolder(context.storage_path, machine);
  DM_RETURN_IF_ERROR(common::EnsureDir(context.storage_path, 0700));
  DM_RETURN_IF_ERROR(common::EnsureDir(context.storage_path + "/machines", 0700));
  DM_RETURN_IF_ERROR(common::EnsurePrivateDir(folder));
  const std::string path = folder + "/tunnel.json";
  // Of two commands at once, the second finds the first one's tunnel.
  const common::UniqueFd lock(
      open((folder + "/tunnel.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid() || flock(lock.get(), LOCK_EX) != 0) {
    return absl::ErrnoToStatus(errno, folder + "/tunnel.lock");
  }
  std::string address = RunningTunnel(path, port);
  if (!address.empty()) return address;
  return common::Annotate(StartTunnel(context, machine, port, path),
                          absl::StrCat("starting a tunnel to ", machine));
}

}  // namespace machine::cli
