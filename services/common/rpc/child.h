// The main function of the orchestrator's child processes: drivers and the provisioner. The other
// side is the orchestrator's supervisor; proto/driver/v1/bootstrap.proto is what they agree on.
#ifndef SERVICES_COMMON_RPC_CHILD_H_
#define SERVICES_COMMON_RPC_CHILD_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/common/log/log.h"
#include "services/common/metrics/metrics.h"

namespace machine::common {

/// What a child process serves.
class ChildServer {
 public:
  virtual ~ChildServer() = default;

  /// Live as long as this object.
  virtual std::vector<grpc::Service*> services() = 0;

  /// From now on answers new calls with UNAVAILABLE SHUTTING_DOWN, and asks running ones to stop at
  /// their next safe point; waits for them, at most `grace`. True when none is left. Blocks.
  virtual bool Drain(absl::Duration grace) = 0;
};

/// What a ChildServer gets from its process.
struct ChildEnvironment {
  Logger log;
  /// Lives as long as the process.
  Metrics& metrics;
  /// UUID of the orchestrator; empty when the process stands alone.
  std::string orchestrator_id;
  /// Folder for bulky files; empty when there is none.
  std::string data_dir;
  /// Begins a graceful end of the process. Does not block; any thread.
  std::function<void()> request_shutdown;
};

/// How the program calls itself.
struct ChildProgram {
  /// "generic"; component of log lines, and name in BootstrapResult.
  std::string name;
  /// "machine-driver-generic".
  std::string program;
  /// One sentence for --help.
  std::string description;
};

using ChildFactory =
    std::function<absl::StatusOr<std::unique_ptr<ChildServer>>(const ChildEnvironment&)>;

/// Serves what `factory` makes, and returns the exit status of the process. Call it first thing in
/// main: signals must be blocked before any thread starts. Does not return when the parent is gone,
/// on a second signal, or when calls are still running 10 s after they were asked to stop; then the
/// process ends at once, which is safe because every call can be repeated.
///
/// Without arguments the process is a child: it reads BootstrapParams, writes BootstrapResult, and
/// lives until standard input ends, SIGTERM or SIGINT comes, or `request_shutdown` is called. With
/// --listen it stands alone: on a Unix socket; on HOST:PORT with TLS, where callers must show a
/// certificate of one authority; or, for tests, on plain TCP on loopback.
int RunChild(int argc, char** argv, const ChildProgram& program, const ChildFactory& factory);

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_CHILD_H_
