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
#include "services/orchestrator/engine/verb.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// Thread-safe.
class Engine {
 public:
  /// `owner` identifies this process in leases.
  Engine(EngineParts parts, std::string owner);
  ~Engine();

  /// Takes over operations that a former process left open, and keeps leases from now on.
  absl::Status Start();

  /// Runs an operation that this process inserted with itself as owner, after its commit.
  void Run(const OperationRecord& operation);

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

  const std::string& owner() const { return owner_; }
  /// Null for an unknown verb.
  const Verb* FindVerb(absl::string_view name) const;

 private:
  void KeepLeases();
  void OnEnd(const std::string& operation, const std::string& uid);

  const EngineParts parts_;
  const std::string owner_;
  const std::map<std::string, Verb, std::less<>> verbs_;
  mutable absl::Mutex mu_;
  std::map<std::string, OperationRunPointer> runs_ ABSL_GUARDED_BY(mu_);
  absl::AnyInvocable<void(const std::string&)> on_done_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_ENGINE_H_
