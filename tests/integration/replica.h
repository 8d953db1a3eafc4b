// An orchestrator of several on one database, and a client of it.
#ifndef TESTS_INTEGRATION_REPLICA_H_
#define TESTS_INTEGRATION_REPLICA_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/longrunning/operations.grpc.pb.h"
#include "machine/v1/machines.grpc.pb.h"
#include "machine/v1/operations.grpc.pb.h"
#include "services/common/rpc/channel.h"
#include "tests/integration/world.h"

namespace machine::tests {

/// Has a storage path of its own in the world, with the sealing key that all replicas share. Calls
/// may come from several threads; starting and signals from one.
class Replica {
 public:
  /// `database`: the URL. In the database it is known by `name`.
  Replica(const World& world, absl::string_view name, absl::string_view database,
          absl::string_view lease);

  const std::string& name() const { return name_; }
  /// Starts the process and waits until it serves; false, with an error of the test, if it does
  /// not.
  bool Start();
  void Signal(int signal) { process_->Signal(signal); }
  /// By SIGKILL, and waits for the end.
  void Kill();
  /// In order, by SIGTERM, and waits for the end.
  void Stop();
  /// What it has logged.
  std::string Log() const { return process_->ErrSoFar(); }
  bool running() const { return process_.has_value(); }

  // Calls with a deadline of a few seconds, after which it is UNAVAILABLE or DEADLINE_EXCEEDED.
  absl::StatusOr<google::longrunning::Operation> Create(
      const machine::v1::CreateMachineRequest& request) const;
  absl::StatusOr<google::longrunning::Operation> Operation(const std::string& name) const;
  absl::Status Cancel(const std::string& operation) const;
  /// "NAME STATE ETAG" of each machine.
  absl::StatusOr<std::vector<std::string>> Machines() const;
  /// Every event of an operation, until its last.
  absl::StatusOr<std::vector<machine::v1::OperationEvent>> Events(
      const std::string& operation) const;

 private:
  absl::StatusOr<common::Channel> Connect() const;

  const World& world_;
  const std::string name_;
  const std::string storage_;
  const std::string database_;
  const std::string lease_;
  std::optional<RunningCommand> process_;
};

}  // namespace machine::tests

#endif  // TESTS_INTEGRATION_REPLICA_H_
