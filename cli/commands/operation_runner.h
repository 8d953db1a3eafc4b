// Runs operations and shows what they report.
#ifndef CLI_COMMANDS_OPERATION_RUNNER_H_
#define CLI_COMMANDS_OPERATION_RUNNER_H_

#include <functional>
#include <list>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cli/commands/command.h"
#include "cli/output/progress.h"
#include "google/longrunning/operations.pb.h"
#include "machine/v1/operations.pb.h"

namespace machine::cli {

/// One operation on one machine.
struct OperationRequest {
  std::string machine;
  /// As in OperationMetadata.verb.
  std::string verb;
  /// Printed first; may be empty.
  std::string opening;
  /// Printed last when it succeeded; may be empty.
  std::string closing;
  /// Asks for the operation. Called again, with the same request_id inside, when the answer was
  /// lost.
  std::function<absl::StatusOr<google::longrunning::Operation>()> submit;
  /// Verbs of an operation under way on the machine that is followed instead of being an error.
  std::vector<std::string> attaches_to;
  /// The command that follows the operation after it was left.
  std::string follow_command;
  /// What the first Ctrl-C does.
  enum class Interrupt { kCancel, kLeave };
  Interrupt interrupt = Interrupt::kCancel;
  /// A line that was printed already; when a step says the same, it is left out.
  std::string said_before;
};

/// Follows operations to their end, across restarts of the orchestrator. The first Ctrl-C cancels
/// them, the second leaves them running. Thread-safe.
class OperationRunner {
 public:
  /// `lanes` operations will run.
  OperationRunner(CommandContext& context, size_t lanes);
  ~OperationRunner();

  /// Blocks until the operation is done. Lines go to `lane` of the progress.
  /// @return OK, or the error to print.
  absl::Status Run(size_t lane, const OperationRequest& request);

  Progress& progress() { return progress_; }

 private:
  struct Active {
    const OperationRequest* request = nullptr;
    std::string operation;
    /// The stream being read; null between two attempts.
    grpc::ClientContext* stream = nullptr;
    /// Lines of steps shown so far: a step that is retried is said once.
    std::set<std::string> shown;
    size_t lane = 0;
    /// The step under way as the terminal's last line shows it.
    std::string step;
  };

  absl::StatusOr<google::longrunning::Operation> Submit(Active& active);
  absl::StatusOr<google::longrunning::Operation> Follow(Active& active);
  /// Reads one stream to its end; sets `done` from its last event.
  absl::Status ReadEvents(Active& active, const common::Channel& channel, int64_t& sequence,
                          google::longrunning::Operation& done);
  void Show(Active& active, const machine::v1::OperationEvent& event);
  void OnInterrupt(int count);
  void CancelAll();
  void LeaveAll();
  bool only_followed() const;
  bool left() const;

  CommandContext& context_;
  Progress progress_;
  mutable absl::Mutex mu_;
  std::list<Active*> active_ ABSL_GUARDED_BY(mu_);
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool left_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::cli

#endif  // CLI_COMMANDS_OPERATION_RUNNER_H_
