#include "services/orchestrator/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/log/log.h"
#include "services/common/status/status.h"
#include "services/common/version/version.h"
#include "services/orchestrator/config_file.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kMaxSocketPath = 107;
// Room for "/" and the longest name of a driver's socket.
constexpr size_t kSocketNameRoom = 28;
constexpr absl::Duration kPrivateIdleExit = absl::Minutes(15);
// Below it the network and a busy database would look like a dead orchestrator.
constexpr absl::Duration kMinLeaseTime = absl::Seconds(1);

constexpr char kHelp[] = R"(Usage: machine-orchestrator [OPTIONS]
       machine-orchestrator store backup|restore|migrate   See store --help
       machine-orchestrator user token USER                See user --help

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
   --store URL           Keep the state in a PostgreSQL database, which several orchestrators may share:
                         postgres://USER@HOST:PORT/DATABASE?sslrootcert=FILE [$MACHINE_STORE]
                         (default: a SQLite file below the storage path). All on one database need
                         the same file server/sealing.key. No password here: use $PGPASSFILE,
                         $PGPASSWORD, $MACHINE_STORE or --store-file
   --store-file PATH     Read that URL, maybe with a password, from a file that only you can read
   --lease-time DURATION With --store: when others take over the operations of an orchestrator that
                         gives no sign of life (default 30s)
   --listen HOST:PORT    Serve users elsewhere, who show certificates: see machine-orchestrator user
   --tls-name NAME       With --listen: one more name or address by which it is reached; may be given
                         several times. This host's own are known
   --tls-cert FILE       With --listen: the server's certificate, then its authorities up to the one
   --tls-key FILE        that users are to trust, and its key, both PEM, instead of ones that are made
   --client-ca FILE      With --listen: also accept clients of this authority, PEM. The URI in a
                         client's certificate, urn:docker-machine:user:ID, says which user it is
   --listen-plaintext A  Serve everybody on this host as admin, without TLS; A is 127.0.0.1:PORT
   --config FILE         Read options from a YAML file, "storage-path: /srv/machine" and so on, with a
                         list for an option that is given several times; the command line wins
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

absl::Status CheckHostPort(absl::string_view option, absl::string_view value) {
  const size_t colon = value.rfind(':');
  uint32_t port = 0;
  if (colon != absl::string_view::npos && colon > 0 &&
      absl::SimpleAtoi(value.substr(colon + 1), &port) && port <= 65535) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": \"", value, "\" is not HOST:PORT, such as 0.0.0.0:7676"));
}

// What belongs together, once all is known.
absl::Status CheckListener(const Config& config) {
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together");
  }
  const bool details =
      !config.tls_names.empty() || !config.tls_cert.empty() || !config.client_ca.empty();
  if (details && config.listen.empty()) {
    return absl::InvalidArgumentError(
        "--tls-name, --tls-cert and --client-ca say how to --listen: give that, too");
  }
  if (config.private_mode && (!config.listen.empty() || !config.listen_plaintext.empty())) {
    return absl::InvalidArgumentError("--private serves one user: it cannot be used with --listen");
  }
  return absl::OkStatus();
}

absl::Status SetOption(Config& config, absl::string_view name, absl::string_view value) {
  if (name == "--storage-path") {
    config.storage_path = std::string(value);
  } else if (name == "--libexec-dir") {
    config.libexec_dir = std::string(value);
  } else if (name == "--listen") {
    DM_RETURN_IF_ERROR(CheckHostPort(name, value));
    config.listen = std::string(value);
  } else if (name == "--listen-plaintext") {
    DM_RETURN_IF_ERROR(CheckHostPort(name, value));
    if (!absl::StartsWith(value, "127.") && !absl::StartsWith(value, "[::1]:")) {
      return absl::InvalidArgumentError(
          "--listen-plaintext: without TLS only 127.0.0.1:PORT and [::1]:PORT are possible; use "
          "--listen");
    }
    config.listen_plaintext = std::string(value);
  } else if (name == "--tls-name") {
    config.tls_names.emplace_back(value);
  } else if (name == "--tls-cert") {
    config.tls_cert = std::string(value);
  } else if (name == "--tls-key") {
    config.tls_key = std::string(value);
  } else if (name == "--client-ca") {
    config.client_ca = std::string(value);
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
  } else if (name == "--lease-time") {
    if (!absl::ParseDuration(value, &config.lease_time) || config.lease_time < kMinLeaseTime) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--lease-time: \"", value, "\" is not a duration of at least 1s, such as 30s"));
    }
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown option ", name, "; see --help"));
  }
  return absl::OkStatus();
}

// The URL in a file. Whoever else can read it could be a database user.
absl::StatusOr<std::string> ReadUrlFile(absl::string_view path) {
  struct stat info = {};
  if (stat(std::string(path).c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--store-file: others can read ", path, ", and it may hold a password: chmod 600 ", path));
  }
  const absl::StatusOr<std::string> text = common::ReadFile(std::string(path));
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--store-file: ", text.status().message()));
  }
  return std::string(absl::StripAsciiWhitespace(*text));
}

absl::Status SetStore(Config& config, absl::string_view option, absl::string_view url) {
  absl::StatusOr<PostgresAddress> address = common::Annotate(PostgresAddress::Parse(url), option);
  DM_RETURN_IF_ERROR(address.status());
  if (option == "--store" && address->has_password()) {
    return absl::InvalidArgumentError(
        "--store: every user of this host can read a password on a command line: put it in "
        "$PGPASSFILE or $PGPASSWORD, or the URL in $MACHINE_STORE or a file named by --store-file");
  }
  if (config.private_mode) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": a database is shared; it cannot be used with --private"));
  }
  const std::string password = Environment("PGPASSWORD");
  if (!address->has_password() && !password.empty()) address->set_password(password);
  config.store = *std::move(address);
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
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> words,
                      WithConfigFile({argv + std::min(argc, 1), argv + argc}));
  Config config;
  config.storage_path = Environment("MACHINE_STORAGE_PATH");
  config.libexec_dir = Environment("MACHINE_LIBEXEC");
  bool idle_exit_given = false;
  std::string store_option = "MACHINE_STORE";
  std::string store_url = Environment("MACHINE_STORE");
  for (size_t i = 0; i < words.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> option =
        absl::StrSplit(absl::string_view(words[i]), absl::MaxSplits('=', 1));
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
    if (!absl::StrContains(words[i], '=')) {
      if (i + 1 == words.size()) {
        return absl::InvalidArgumentError(absl::StrCat(option.first, " needs a value"));
      }
      value = words[++i];
    }
    idle_exit_given = idle_exit_given || option.first == "--idle-exit";
    if (option.first == "--store") {
      store_url = std::string(value);
    } else if (option.first == "--store-file") {
      DM_ASSIGN_OR_RETURN(store_url, ReadUrlFile(value));
    } else {
      DM_RETURN_IF_ERROR(SetOption(config, option.first, value));
      continue;
    }
    store_option = std::string(option.first);
  }
  DM_RETURN_IF_ERROR(CheckListener(config));
  // A private orchestrator has a store of its own, whatever the environment says.
  if (!store_url.empty() && (store_option != "MACHINE_STORE" || !config.private_mode)) {
    DM_RETURN_IF_ERROR(SetStore(config, store_option, store_url));
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
