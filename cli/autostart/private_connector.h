// The orchestrator that serves one user on one host, started when it is first needed.
#ifndef CLI_AUTOSTART_PRIVATE_CONNECTOR_H_
#define CLI_AUTOSTART_PRIVATE_CONNECTOR_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/args/environment.h"
#include "cli/autostart/server_file.h"
#include "cli/connect/connector.h"
#include "cli/output/console.h"
#include "services/common/process/unique_fd.h"

namespace machine::cli {

/// Where machine-orchestrator is: $MACHINE_LIBEXEC, else the libexec folder beside the folder of
/// `own_executable`, else that folder itself. NOT_FOUND naming the places.
absl::StatusOr<std::string> FindOrchestrator(const Environment& env,
                                             absl::string_view own_executable);

/// Connects to the orchestrator whose data is below a storage path. Of several commands that find
/// none running, one starts it and the others wait (flock on server.lock).
class PrivateConnector final : public Connector {
 public:
  struct Options {
    std::string storage_path;
    /// What to start; an error is reported once it must be started.
    absl::StatusOr<std::string> program;
    /// How long the start may take, and how often to say that it goes on.
    absl::Duration start_timeout = absl::Seconds(30);
    absl::Duration notice_interval = absl::Seconds(5);
  };

  PrivateConnector(Options options, Console& console);

  absl::StatusOr<common::Channel> Connect() override;
  absl::StatusOr<common::Channel> Reconnect(const absl::Status& cause,
                                            absl::Duration patience) override;
  bool is_private() const override { return true; }

 private:
  absl::StatusOr<common::Channel> Use(ServerFile server);
  /// Takes the lock, looks again, and starts the program when nobody else did; one that is ending
  /// is waited for.
  absl::StatusOr<common::Channel> StartOrFind();
  absl::StatusOr<common::UniqueFd> Lock(absl::Time deadline);
  /// Starts the program and waits until it serves. FAILED_PRECONDITION with its own words when it
  /// cannot; ABORTED when process `holder` (0: unknown) has the store; UNAVAILABLE when it ended
  /// without a word.
  absl::Status Start(absl::Time deadline, int64_t& holder);
  /// Waits for the ready line of the child on `ready_fd`; errors as Start() has them.
  absl::Status AwaitReady(int ready_fd, absl::Time deadline, int64_t log_start, int64_t& holder);
  /// Whether `server` runs another build than the one to start.
  bool Replaced(const ServerFile& server);
  /// Whether `server` was Replaced(), had nothing to do, and has been stopped for that.
  bool Retired(const ServerFile& server);
  /// Waits until `server` has ended or its file is another one's.
  bool AwaitEnd(const ServerFile& server, absl::Time deadline);
  /// Waits until process `pid` has ended or `is_over`; says so after a while.
  bool AwaitEnd(int64_t pid, absl::Time deadline, absl::FunctionRef<bool()> is_over);
  /// What the log holds after `start`, its last lines only.
  std::string LogTail(int64_t start) const;

  const Options options_;
  const std::string folder_;
  const std::string file_path_;
  const std::string log_path_;
  Console& console_;
  std::optional<ServerFile> used_;
};

}  // namespace machine::cli

#endif  // CLI_AUTOSTART_PRIVATE_CONNECTOR_H_
