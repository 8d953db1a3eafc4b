// An orchestrator in memory whose operations follow a script. For tests of clients.
#ifndef TESTS_FAKES_ORCHESTRATOR_FAKE_ORCHESTRATOR_H_
#define TESTS_FAKES_ORCHESTRATOR_FAKE_ORCHESTRATOR_H_

#include <grpcpp/support/status_code_enum.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/machines.pb.h"
#include "machine/v1/operations.pb.h"
#include "machine/v1/sessions.pb.h"
#include "services/common/rpc/channel.h"

namespace machine::fakes {

/// What an operation does.
struct OperationScript {
  std::vector<machine::v1::OperationEvent> events;
  /// How it ends.
  absl::Status result;
  /// The stream breaks off once after this many events.
  int break_after = -1;
  grpc::StatusCode break_code = grpc::StatusCode::UNAVAILABLE;
  /// Before its end it waits for this, or for a cancel.
  std::shared_ptr<absl::Notification> hold;
};

/// Serves machine.v1 on a Unix socket of its own. Thread-safe.
class FakeOrchestrator {
 public:
  FakeOrchestrator();
  ~FakeOrchestrator();

  common::Channel channel() const;

  void AddDriver(const machine::v1::DriverInfo& driver);
  /// Adds a machine, or replaces the one of that name.
  void PutMachine(const machine::v1::Machine& machine);
  void RemoveMachine(absl::string_view id);
  bool HasMachine(absl::string_view id) const;
  /// What GetAccessBundle adds to the machine's endpoint.
  void set_bundle(const machine::v1::AccessBundle& bundle);
  /// For the next operation on the machine `id`; without one it succeeds at once.
  void Script(absl::string_view id, OperationScript script);
  /// Begins an operation as another client would.
  void BeginElsewhere(absl::string_view id, absl::string_view verb, OperationScript script);
  /// Operations do not stop when they are asked to.
  void set_ignore_cancel(bool ignore);
  /// What Exec answers. Without any it says "welcome", echoes its input up to a line "exit", and
  /// says the size of a window that changes as "COLUMNSxROWS".
  void ScriptExec(std::vector<machine::v1::ExecResponse> responses);

  machine::v1::CreateMachineRequest last_create() const;
  machine::v1::ExecStart last_exec() const;
  /// "start dev" for each operation that was asked for, in order.
  std::vector<std::string> operations() const;
  int cancels() const;
  /// How often a stream of events was opened.
  int watches() const;

 private:
  struct State;
  class MachinesService;
  class OperationsService;
  class EventsService;
  class DriversService;
  class SessionsService;

  std::unique_ptr<State> state_;
};

/// A step with its text.
machine::v1::OperationEvent StepEvent(int index, int count, absl::string_view message);
/// A line of the log.
machine::v1::OperationEvent LogEvent(machine::v1::LogLine::Severity severity,
                                     absl::string_view component, absl::string_view text);

}  // namespace machine::fakes

#endif  // TESTS_FAKES_ORCHESTRATOR_FAKE_ORCHESTRATOR_H_
