// A verb is a static list of steps. The engine runs them; this is all it knows of them.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_VERB_H_
#define SERVICES_ORCHESTRATOR_ENGINE_VERB_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

class OperationRun;
using OperationRunPointer = std::shared_ptr<OperationRun>;

/// Ends a step, exactly once, from any thread.
using StepDone = absl::AnyInvocable<void(absl::Status)>;

struct Step {
  /// In failpoints, metrics and Progress.step; never changed, because stored operations point to
  /// steps by index and people to steps by name.
  absl::string_view name;
  /// Shown to the user when the step begins; empty shows nothing.
  absl::string_view message;
  /// It changes the world: its intent is committed before it runs. Such a step must be idempotent
  /// by the machine's uid, because it is run again after a crash.
  bool effect = false;
  /// It waits for ssh with a patience of its own, so SSH_UNREACHABLE is final.
  bool patient = false;
  /// Runs on the operation's strand and must not keep it: it starts calls and returns.
  std::function<void(const OperationRunPointer&, StepDone)> run;
  /// The step is passed over where this is set and false.
  std::function<bool(const OperationRecord&, const MachineRecord&)> applies;
};

/// What happens to the machine's record in the commit that ends an operation.
enum class Ending {
  kKeepMachine,
  kRemoveMachine,
  /// Removed from the lists, but its instance may be there: a tombstone takes its place.
  kBuryMachine,
};

struct Verb {
  absl::string_view name;
  std::vector<Step> steps;
  /// Run when `undo` says so, after a failure; then the operation ends with that failure.
  std::vector<Step> undo_steps;
  /// After the failure of a step: whether to run undo_steps. Default: never.
  std::function<bool(const OperationRecord&, const MachineRecord&, const absl::Status&)> undo;
  /// The end of an operation that succeeded. Changes the record and says what becomes of it.
  std::function<Ending(const OperationRecord&, MachineRecord&)> succeed;
  /// The end of one that failed (and was undone, where `undone`).
  std::function<Ending(const OperationRecord&, MachineRecord&, const absl::Status&, bool undone)>
      fail;
  /// Where set and true, a step that failed is not tried again: somebody else goes on with it.
  std::function<bool(const OperationRecord&)> one_attempt;
  /// How long the whole operation may take.
  absl::Duration deadline = absl::Minutes(10);
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_VERB_H_
