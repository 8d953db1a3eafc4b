#include "services/orchestrator/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/log/log.h"
#include "services/common/status/status.h"
#include "services/common/version/version.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kMaxSocketPath = 107;
// Room for "/" and the longest name of a driver's socket.
constexpr size_t kSocketNameRoom = 28;
constexpr absl::Duration kPrivateIdleExit = absl::Minutes(15);

constexpr char kHelp[] = R"(Usage: machine-orchestrator [OPTIONS]

Creates and manages Docker hosts, and serves machine.v1 to docker-machine and other gRPC clients.

Options:
   --storage-path PATH   Folder of the store, keys and sockets [$MACHINE_STORAGE_PATH]
                         (default ~/.docker/machine)
   --private             Serve one user: keep machines/NAME folders for other programs, and end
                         when idle. docker-machine starts its orchestrator this way
   --idle-exit DURATION  End after this time without use, e.g. 15m; 0 means never
                         (default 15m with --private, else 0)
   --libexec-dir PATH    Folder of machine-driver-* and machine-provisioner
                         (default the folder of this program) [$MACHINE_LIBEXEC]
   --metrics-address A   Serve Prometheus metrics at http://A/metrics, A being 127.0.0.1:PORT
   --log-level LEVEL     debug, info, warning or error (default info)
   --version             Show the version
   --help                Show this text

One JSON object a line is logged to standard error. Where file descriptor 3 is open at the start, one
line is written to it: "ready", or "error: " and the reason.
)";

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ProgramPath() {
  std::array<char, PATH_MAX> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "";
}

absl::Status SetOption(Config& config, absl::string_view name, absl::string_view value) {
  if (name == "--storage-path") {
    config.storage_path = std::string(value);
  } else if (name == "--libexec-dir") {
    config.libexec_dir = std::string(value);
  } else if (name == "--metrics-address") {
    config.metrics_address = std::string(value);
  } else if (name == "--idle-exit") {
    if (!absl::ParseDuration(value, &config.idle_exit) || config.idle_exit < absl::ZeroDuration()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--idle-exit: \"", value, "\" is not a duration such as 15m"));
    }
  } else if (name == "--log-level") {
    if (!common::ParseSeverity(value).has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--log-level: \"", value, "\" is not debug, info, warning or error"));
    }
    config.log_level = std::string(value);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown option ", name, "; see --help"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string Config::runtime_dir() const {
  if (server_dir().size() + kSocketNameRoom <= kMaxSocketPath) return server_dir();
  std::string parent = Environment("XDG_RUNTIME_DIR");
  if (parent.empty() || parent.size() > kMaxSocketPath / 2) parent = "/tmp";
  return absl::StrCat(parent, "/machine-", getuid(), "-",
                      common::Sha256Hex(storage_path).substr(0, 12));
}

absl::StatusOr<Config> ReadConfig(int argc, const char* const* argv, ShowText& show) {
  Config config;
  config.storage_path = Environment("MACHINE_STORAGE_PATH");
  config.libexec_dir = Environment("MACHINE_LIBEXEC");
  bool idle_exit_given = false;
  for (int i = 1; i < argc; ++i) {
    const std::pair<absl::string_view, absl::string_view> option =
        absl::StrSplit(absl::string_view(argv[i]), absl::MaxSplits('=', 1));
    absl::string_view value = option.second;
    if (option.first == "--help" || option.first == "-h") {
      show.text = kHelp;
      return config;
    }
    if (option.first == "--version") {
      show.text = absl::StrCat("machine-orchestrator version ", common::kVersion, "\n");
      return config;
    }
    if (option.first == "--private") {
      config.private_mode = true;
      continue;
    }
    if (!absl::StrContains(argv[i], '=')) {
      if (i + 1 == argc) {
        return absl::InvalidArgumentError(absl::StrCat(option.first, " needs a value"));
      }
      value = argv[++i];
    }
    idle_exit_given = idle_exit_given || option.first == "--idle-exit";
    DM_RETURN_IF_ERROR(SetOption(config, option.first, value));
  }
  if (!idle_exit_given && config.private_mode) config.idle_exit = kPrivateIdleExit;
  if (config.storage_path.empty()) {
    const std::string home = Environment("HOME");
    if (home.empty()) {
      return absl::InvalidArgumentError("--storage-path is needed where HOME is not set");
    }
    config.storage_path = absl::StrCat(home, "/.docker/machine");
  }
  if (!absl::StartsWith(config.storage_path, "/")) {
    std::array<char, PATH_MAX> here;
    if (getcwd(here.data(), here.size()) == nullptr) {
      return absl::InvalidArgumentError("--storage-path must be absolute here");
    }
    config.storage_path = absl::StrCat(here.data(), "/", config.storage_path);
  }
  config.storage_path = std::string(absl::StripSuffix(config.storage_path, "/"));
  if (config.libexec_dir.empty()) {
    const std::string program = ProgramPath();
    config.libexec_dir = program.substr(0, program.rfind('/'));
  }
  return config;
}

std::string BuildLabel() {
  struct stat info {};
  if (stat("/proc/self/exe", &info) != 0) return "";
  return absl::StrCat(info.st_size, "-",
                      info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec);
}

}  // namespace machine::orchestrator
