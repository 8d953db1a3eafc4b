#include "services/orchestrator/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/crypto/digest.h"
#include "services/common/file/file.h"
#include "services/common/log/log.h"
#include "services/common/status/status.h"
#include "services/common/version/version.h"

namespace machine::orchestrator {
namespace {

constexpr size_t kMaxSocketPath = 107;
// Room for "/" and the longest name of a driver's socket.
constexpr size_t kSocketNameRoom = 28;
constexpr absl::Duration kPrivateIdleExit = absl::Minutes(15);
// Below it the network and a busy database would look like a dead orchestrator.
constexpr absl::Duration kMinLeaseTime = absl::Seconds(1);
// A driver that is being restarted must not lose its certificate meanwhile.
constexpr absl::Duration kMinDriverCertLifetime = absl::Minutes(1);

using common::Option;
using common::OptionSource;
using common::OptionSpec;

constexpr OptionSpec kOptions[] = {
    {.name = "storage-path",
     .value = "PATH",
     .variable = "MACHINE_STORAGE_PATH",
     .sample = "/var/lib/docker-machine",
     .help = "Folder of the store, keys and sockets (default ~/.docker/machine)"},
    {.name = "private",
     .sample = "true",
     .help = "Serve one user: keep machines/NAME folders for other programs, and end when idle. "
             "docker-machine starts its orchestrator this way"},
    {.name = "idle-exit",
     .value = "DURATION",
     .sample = "15m",
     .help = "End after this time without use; 0 means never (default 15m with --private, else 0)"},
    {.name = "libexec-dir",
     .value = "PATH",
     .variable = "MACHINE_LIBEXEC",
     .sample = "/usr/libexec/docker-machine",
     .help = "Folder of machine-driver-* and machine-provisioner (default the folder of this "
             "program)"},
    {.name = "store",
     .value = "URL",
     .variable = "MACHINE_STORE",
     .sample = "postgres://machine@db.example.org/machine?sslrootcert=/etc/docker-machine/db.pem",
     .help =
         "Keep the state in a PostgreSQL database, which several orchestrators may share: "
         "postgres://USER@HOST:PORT/DATABASE?sslrootcert=FILE (default a SQLite file below the "
         "storage path). All on one database need the same file server/sealing.key, or the same "
         "--passphrase-file. No password on a command line or in a configuration file: use "
         "$PGPASSFILE, $PGPASSWORD, "
         "the variable or --store-file"},
    {.name = "store-file",
     .value = "PATH",
     .sample = "/etc/docker-machine/store.url",
     .help = "Read that URL, maybe with a password, from a file that only you can read"},
    {.name = "passphrase-file",
     .value = "PATH",
     .sample = "/etc/docker-machine/passphrase",
     .help = "Seal secrets in the store under the passphrase that this file holds, which only you "
             "or root may read, instead of with the key in server/sealing.key. For a store that is "
             "there already: see machine-orchestrator store --help, rotate-key"},
    {.name = "lease-time",
     .value = "DURATION",
     .sample = "30s",
     .help = "With --store: when others take over the operations of an orchestrator that gives no "
             "sign of life (default 30s)"},
    {.name = "listen",
     .value = "HOST:PORT",
     .sample = "0.0.0.0:7676",
     .help = "Serve users elsewhere, who show certificates: see machine-orchestrator user --help"},
    {.name = "tls-name",
     .value = "NAME",
     .repeated = true,
     .sample = "[machines.example.org, 192.0.2.7]",
     .help = "With --listen: one more name or address by which it is reached; may be given several "
             "times. This host's own are known"},
    {.name = "tls-cert",
     .value = "FILE",
     .sample = "/etc/docker-machine/server.pem",
     .help = "With --listen: the server's certificate, then its authorities up to the one that "
             "users are to trust, PEM, instead of ones that are made. Read again when the file "
             "changes, and on SIGHUP"},
    {.name = "tls-key",
     .value = "FILE",
     .sample = "/etc/docker-machine/server.key",
     .help = "The key of --tls-cert, PEM; read again like it"},
    {.name = "client-ca",
     .value = "FILE",
     .sample = "/etc/docker-machine/client-ca.pem",
     .help =
         "With --listen: also accept clients of this authority, PEM; read again like "
         "--tls-cert. The URI in a client's certificate, urn:docker-machine:user:ID, says which "
         "user it is"},
    {.name = "listen-plaintext",
     .value = "ADDRESS",
     .sample = "127.0.0.1:7677",
     .help = "Serve everybody on this host as admin, without TLS, on 127.0.0.1:PORT"},
    {.name = "provisioner",
     .value = "HOST:PORT",
     .sample = "provisioner.example.org:7701",
     .help = "Use a machine-provisioner that runs elsewhere, instead of a child of this process"},
    {.name = "provisioner-ca",
     .value = "FILE",
     .live = true,
     .sample = "/etc/docker-machine/provisioner-ca.pem",
     .help = "The authority of its certificate, PEM; read again on SIGHUP like the next two"},
    {.name = "provisioner-cert",
     .value = "FILE",
     .live = true,
     .sample = "/etc/docker-machine/provisioner-client.pem",
     .help = "The certificate to show it, PEM"},
    {.name = "provisioner-key",
     .value = "FILE",
     .live = true,
     .sample = "/etc/docker-machine/provisioner-client.key",
     .help = "The key of that certificate, PEM"},
    {.name = "driver-cert-lifetime",
     .value = "DURATION",
     .sample = "19776h",
     .help = "How long the certificates last that docker-machine driver enroll gives to drivers; "
             "they are renewed while a third of that is left (default 19776h, 824 days)"},
    {.name = "drain-limit",
     .value = "DURATION",
     .sample = "10s",
     .help = "How long sessions (ssh, scp, tunnels) may go on after SIGTERM, while new calls are "
             "for another orchestrator; a second signal ends them at once. Less than the time "
             "after which a service manager kills (default 10s)"},
    {.name = "metrics-address",
     .value = "ADDRESS",
     .sample = "127.0.0.1:7678",
     .help =
         "Serve Prometheus metrics at http://HOST:PORT/metrics, without TLS and to whoever asks: "
         "on another address than a loopback one, let only the collector through"},
    {.name = "log-level",
     .value = "LEVEL",
     .live = true,
     .sample = "info",
     .help = "Least severity to log: debug, info, warning or error (default info)"},
};
constexpr common::OptionTable kTable = {"machine-orchestrator", "MACHINE_ORCHESTRATOR_", kOptions};

constexpr char kHelpHead[] = R"(Usage: machine-orchestrator [OPTIONS]
       machine-orchestrator store backup|restore|migrate|rotate-key
                                                           See store --help
       machine-orchestrator user token USER                See user --help
       machine-orchestrator health [OPTIONS]               Ask the one that serves with the same
                                                           options whether it does: exit status 0

Creates and manages Docker hosts, and serves machine.v1 to docker-machine and other gRPC clients.

Options:
)";
constexpr char kHelpTail[] = R"(
One JSON object a line is logged to standard error. Where file descriptor 3 is open at the start, one
line is written to it: "ready", or "error: " and the reason. A service manager is told by $NOTIFY_SOCKET.
SIGHUP has certificates and the configuration read again; what cannot change at once is logged.
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
  const int provisioner_parts =
      (config.provisioner.empty() ? 0 : 1) + (config.provisioner_ca.empty() ? 0 : 1) +
      (config.provisioner_cert.empty() ? 0 : 1) + (config.provisioner_key.empty() ? 0 : 1);
  if (provisioner_parts != 0 && provisioner_parts != 4) {
    return absl::InvalidArgumentError(
        "--provisioner, --provisioner-ca, --provisioner-cert and --provisioner-key belong "
        "together");
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

absl::Status SetDuration(const Option& option, absl::Duration least, absl::Duration& target) {
  if (absl::ParseDuration(option.value, &target) && target >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(option.where, ": \"", option.value,
                                                 "\" is not a duration of at least ",
                                                 absl::FormatDuration(least), ", such as 15m"));
}

// Whether only this host reaches "HOST:PORT".
bool IsLoopback(absl::string_view address) {
  return absl::StartsWith(address, "127.") || absl::StartsWith(address, "[::1]:");
}

absl::Status SetPlaintext(const Option& option, Config& config) {
  DM_RETURN_IF_ERROR(CheckHostPort(option.where, option.value));
  if (!IsLoopback(option.value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        option.where, ": without TLS only 127.0.0.1:PORT and [::1]:PORT are possible; ",
        "use listen"));
  }
  config.listen_plaintext = option.value;
  return absl::OkStatus();
}

// All but the store's.
absl::Status SetOption(Config& config, const Option& option) {
  const std::pair<absl::string_view, std::string*> texts[] = {
      {"storage-path", &config.storage_path},
      {"libexec-dir", &config.libexec_dir},
      {"passphrase-file", &config.passphrase_file},
      {"listen", &config.listen},
      {"tls-cert", &config.tls_cert},
      {"tls-key", &config.tls_key},
      {"client-ca", &config.client_ca},
      {"provisioner", &config.provisioner},
      {"provisioner-ca", &config.provisioner_ca},
      {"provisioner-cert", &config.provisioner_cert},
      {"provisioner-key", &config.provisioner_key},
      {"log-level", &config.log_level},
      {"metrics-address", &config.metrics_address}};
  const absl::string_view name = option.spec->name;
  for (const auto& [text, target] : texts) {
    if (name == text) *target = option.value;
  }
  if (name == "private") config.private_mode = option.value == "true";
  if (name == "tls-name") config.tls_names.push_back(option.value);
  if (name == "listen" || name == "provisioner" || name == "metrics-address") {
    return CheckHostPort(option.where, option.value);
  }
  if (name == "listen-plaintext") return SetPlaintext(option, config);
  if (name == "idle-exit") return SetDuration(option, absl::ZeroDuration(), config.idle_exit);
  if (name == "lease-time") return SetDuration(option, kMinLeaseTime, config.lease_time);
  if (name == "drain-limit") return SetDuration(option, absl::ZeroDuration(), config.drain_limit);
  if (name == "driver-cert-lifetime") {
    return SetDuration(option, kMinDriverCertLifetime, config.driver_cert_lifetime);
  }
  if (name == "log-level" && !common::ParseSeverity(option.value).has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(option.where, ": \"", option.value,
                                                   "\" is not debug, info, warning or error"));
  }
  return absl::OkStatus();
}

// The URL in a file. Whoever else can read it could be a database user.
absl::StatusOr<std::string> ReadUrlFile(const Option& option) {
  const std::string& path = option.value;
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(option.where, ": others can read ", path,
                                                   ", and it may hold a password: chmod 600 ",
                                                   path));
  }
  const absl::StatusOr<std::string> text = common::ReadFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(option.where, ": ", text.status().message()));
  }
  return std::string(absl::StripAsciiWhitespace(*text));
}

absl::Status SetStore(Config& config, const Option& option) {
  const bool is_file = option.spec->name == "store-file";
  std::string url = option.value;
  if (is_file) {
    DM_ASSIGN_OR_RETURN(url, ReadUrlFile(option));
  }
  absl::StatusOr<PostgresAddress> address =
      common::Annotate(PostgresAddress::Parse(url), option.where);
  DM_RETURN_IF_ERROR(address.status());
  if (!is_file && option.source != OptionSource::kVariable && address->has_password()) {
    return absl::InvalidArgumentError(absl::StrCat(
        option.where,
        ": others can read a password there: put it in $PGPASSFILE or $PGPASSWORD, or ",
        "the URL in $MACHINE_STORE or a file named by --store-file"));
  }
  if (config.private_mode) {
    // A private orchestrator has a store of its own, whatever the environment says.
    if (option.source == OptionSource::kVariable) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(option.where, ": a database is shared; it cannot be used with --private"));
  }
  const std::string password = Environment("PGPASSWORD");
  if (!address->has_password() && !password.empty()) address->set_password(password);
  config.store = *std::move(address);
  return absl::OkStatus();
}

absl::Status FillPaths(Config& config) {
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
  return absl::OkStatus();
}

}  // namespace

bool Config::metrics_are_public() const {
  return !metrics_address.empty() && !IsLoopback(metrics_address);
}

std::string Config::runtime_dir() const {
  if (server_dir().size() + kSocketNameRoom <= kMaxSocketPath) return server_dir();
  std::string parent = Environment("XDG_RUNTIME_DIR");
  if (parent.empty() || parent.size() > kMaxSocketPath / 2) parent = "/tmp";
  return absl::StrCat(parent, "/machine-", getuid(), "-",
                      common::Sha256Hex(storage_path).substr(0, 12));
}

ConfigReader::ConfigReader(int argc, const char* const* argv)
    : sources_(kTable, {argv + std::min(argc, 1), argv + argc}) {}

std::string ConfigReader::Text() const {
  if (sources_.Asked("help")) {
    return absl::StrCat(kHelpHead, common::OptionHelp(kTable), kHelpTail);
  }
  if (sources_.Asked("version")) {
    return absl::StrCat("machine-orchestrator version ", common::kVersion, "\n");
  }
  return sources_.Asked("sample-config") ? common::SampleFile(kTable) : "";
}

bool ConfigReader::only_check() const { return sources_.Asked("check-config"); }

absl::StatusOr<Config> ConfigReader::Read() {
  DM_ASSIGN_OR_RETURN(std::vector<Option> options, sources_.Read());
  Config config;
  bool idle_exit_given = false;
  for (const Option& option : options) {
    DM_RETURN_IF_ERROR(SetOption(config, option));
    idle_exit_given = idle_exit_given || option.spec->name == "idle-exit";
  }
  DM_RETURN_IF_ERROR(CheckListener(config));
  // The two are one option: the stronger or later of them counts.
  const auto store = std::find_if(options.rbegin(), options.rend(), [](const Option& option) {
    return option.spec->name == "store" || option.spec->name == "store-file";
  });
  if (store != options.rend()) DM_RETURN_IF_ERROR(SetStore(config, *store));
  if (!idle_exit_given && config.private_mode) config.idle_exit = kPrivateIdleExit;
  DM_RETURN_IF_ERROR(FillPaths(config));
  waiting_.clear();
  if (read_.has_value()) {
    for (const OptionSpec* changed : common::Changed(*read_, options)) {
      if (!changed->live) waiting_.emplace_back(changed->name);
    }
  } else {
    read_ = std::move(options);
  }
  return config;
}

absl::Status CheckFiles(const Config& config) {
  const std::pair<absl::string_view, absl::string_view> files[] = {
      {"passphrase-file", config.passphrase_file},
      {"tls-cert", config.tls_cert},
      {"tls-key", config.tls_key},
      {"client-ca", config.client_ca},
      {"provisioner-ca", config.provisioner_ca},
      {"provisioner-cert", config.provisioner_cert},
      {"provisioner-key", config.provisioner_key},
      {"libexec-dir", config.libexec_dir}};
  for (const auto& [name, path] : files) {
    if (path.empty() || access(std::string(path).c_str(), R_OK) == 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", path, ": ", common::ErrnoText(errno)));
  }
  return absl::OkStatus();
}

std::string BuildLabel() {
  struct stat info {};
  if (stat("/proc/self/exe", &info) != 0) return "";
  return absl::StrCat(info.st_size, "-",
                      info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec);
}

}  // namespace machine::orchestrator
