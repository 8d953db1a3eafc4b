// Carries out operations: takes them over, runs them, lets go of them.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_ENGINE_H_
#define SERVICES_ORCHESTRATOR_ENGINE_ENGINE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/engine/tenure.h"
#include "services/orchestrator/engine/verb.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Thread-safe.
class Engine {
 public:
  explicit Engine(EngineParts parts);
  ~Engine();

  /// Takes over operations that a former process left open, and keeps leases from now on. On a
  /// shared store also goes on looking for operations that others have lost.
  absl::Status Start();

  /// Runs an operation that was inserted with `owner`, after its commit. One whose owner is no more
  /// is left to whoever finds its lease run out.
  void Run(const OperationRecord& operation, absl::string_view owner);

  /// From the store's listener: operations that were asked to stop.
  void Apply(const StoreChanges& changes);

  /// Lets go of all operations without a write; the next orchestrator goes on with them. Blocks
  /// until the calls under way have ended.
  void Stop();

  /// Operations under way here.
  int64_t active() const;

  /// Waits until no operation is under way or `timeout` has passed.
  void WaitUntilIdle(absl::Duration timeout) const;

  /// Told the machine's uid after each operation on it has ended. Set before Start().
  void SetOnDone(absl::AnyInvocable<void(const std::string& uid)> on_done);

  /// Identifies this process in leases, for the time being.
  std::string owner() const;
  /// Null for an unknown verb.
  const Verb* FindVerb(absl::string_view name) const;

 private:
  struct Running {
    int64_t epoch = 0;
    OperationRunPointer run;
  };

  std::shared_ptr<Tenure> NewTenure() const;
  // The one that lasts; when the last has ended, a new one, and its operations are dropped. Null
  // once the engine stops.
  std::shared_ptr<Tenure> CurrentTenure();
  absl::Status Claim();
  void KeepClaiming();
  void KeepLeases();
  void OnEnd(const std::string& operation, int64_t epoch, const std::string& uid);

  const EngineParts parts_;
  const LeaseTimes times_;
  const std::map<std::string, Verb, std::less<>> verbs_;
  mutable absl::Mutex mu_;
  std::map<std::string, Running> runs_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Tenure> tenure_ ABSL_GUARDED_BY(mu_);
  absl::AnyInvocable<void(const std::string&)> on_done_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_ENGINE_H_
