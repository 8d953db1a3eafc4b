// How an orchestrator is started and where its files are.
#ifndef SERVICES_ORCHESTRATOR_CONFIG_H_
#define SERVICES_ORCHESTRATOR_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/common/config/options.h"
#include "services/orchestrator/store/postgres_address.h"

namespace machine::orchestrator {

struct Config {
  /// Everything of this orchestrator is below it, so two paths are two worlds.
  std::string storage_path;
  /// Serves one user: keeps the machines' folders that other programs read, and ends when idle.
  bool private_mode = false;
  /// Ends after this time without calls, streams or operations; zero means never.
  absl::Duration idle_exit = absl::ZeroDuration();
  /// Least severity to log.
  std::string log_level = "info";
  /// "HOST:PORT" on which Prometheus can read metrics; empty serves none. Neither TLS nor a
  /// password.
  std::string metrics_address;
  /// Whether others than this host can connect there.
  bool metrics_are_public() const;
  /// Folder of the drivers' and the provisioner's programs.
  std::string libexec_dir;
  /// The database that this orchestrator shares with others; none: a file in server_dir().
  std::optional<PostgresAddress> store;
  /// A file with the passphrase under which the store's secrets are sealed; empty for key_path().
  std::string passphrase_file;
  /// "HOST:PORT" for clients elsewhere, with TLS both ways; empty for none.
  std::string listen;
  /// More names and addresses by which they reach it.
  std::vector<std::string> tls_names;
  /// Own certificate and key; empty for those that are made.
  std::string tls_cert;
  std::string tls_key;
  /// Authorities whose clients are accepted beside the own ones; empty for none.
  std::string client_ca;
  /// "127.0.0.1:PORT" without TLS, for everybody on this host; empty for none.
  std::string listen_plaintext;
  /// "HOST:PORT" of a machine-provisioner that runs elsewhere, the authority of its certificate,
  /// and what to show it; empty for a child of this process.
  std::string provisioner;
  std::string provisioner_ca;
  std::string provisioner_cert;
  std::string provisioner_key;
  /// How long an orchestrator on a shared store keeps operations without a sign of life.
  absl::Duration lease_time = absl::Seconds(30);
  /// How long the certificates last that it issues to drivers elsewhere; zero for as long as usual.
  absl::Duration driver_cert_lifetime = absl::ZeroDuration();
  /// How long sessions, and operations where that was asked for, may go on when it is told to end.
  absl::Duration drain_limit = absl::Seconds(10);

  std::string server_dir() const { return storage_path + "/server"; }
  std::string store_path() const { return server_dir() + "/store.db"; }
  std::string key_path() const { return server_dir() + "/sealing.key"; }
  std::string tls_dir() const { return server_dir() + "/tls"; }
  std::string info_path() const { return server_dir() + "/server.json"; }
  /// Folder of the sockets: in server_dir(), or in the user's runtime folder where a path in
  /// server_dir() would be longer than the 107 bytes that a socket's path may have.
  std::string runtime_dir() const;
  std::string address() const { return "unix:" + runtime_dir() + "/o.sock"; }
};

/// Reads the options of a process: once at its start, again on SIGHUP.
class ConfigReader {
 public:
  ConfigReader(int argc, const char* const* argv);

  /// What to print instead of serving, for --help, --version and --sample-config; else empty.
  std::string Text() const;
  /// --check-config was given.
  bool only_check() const;
  /// INVALID_ARGUMENT naming the option, variable or file and what is wrong.
  absl::StatusOr<Config> Read();
  /// After a Read that is not the first: options that changed and need a new start.
  const std::vector<std::string>& waiting() const { return waiting_; }

 private:
  const common::OptionSources sources_;
  // What the process was started with.
  std::optional<std::vector<common::Option>> read_;
  std::vector<std::string> waiting_;
};

/// Whether files that it names are there and can be read. INVALID_ARGUMENT naming the option.
absl::Status CheckFiles(const Config& config);

/// "SIZE-MTIME" of this program's file: tells a replaced program from the running one.
std::string BuildLabel();

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_CONFIG_H_
