#include "services/orchestrator/engine/engine.h"

#include <utility>
#include <vector>

#include "services/common/status/status.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {
namespace {

constexpr absl::Duration kRenewInterval = absl::Seconds(10);
constexpr int kClaimBatch = 64;

std::map<std::string, Verb, std::less<>> AllVerbs() {
  std::map<std::string, Verb, std::less<>> verbs;
  for (Verb verb :
       {MakeCreateVerb(), MakeDeleteVerb(), MakeStartVerb(), MakeStopVerb(), MakeKillVerb(),
        MakeRestartVerb(), MakeProvisionVerb(), MakeUpgradeVerb(), MakeRegenerateCertsVerb()}) {
    const std::string name(verb.name);
    verbs.emplace(name, std::move(verb));
  }
  return verbs;
}

}  // namespace

Engine::Engine(EngineParts parts, std::string owner)
    : parts_(parts), owner_(std::move(owner)), verbs_(AllVerbs()) {}

Engine::~Engine() { Stop(); }

absl::Status Engine::Start() {
  for (;;) {
    DM_ASSIGN_OR_RETURN(const std::vector<OperationRecord> claimed,
                        parts_.store.ClaimOperations(owner_, kClaimBatch));
    for (const OperationRecord& operation : claimed) {
      parts_.log.Info("going on with an operation",
                      {{"operation", operation.name()}, {"verb", operation.metadata().verb()}});
      Run(operation);
    }
    if (claimed.size() < kClaimBatch) break;
  }
  parts_.executor.RunAfter(kRenewInterval, [this] { KeepLeases(); });
  return absl::OkStatus();
}

void Engine::KeepLeases() {
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return;
  }
  const absl::Status status = parts_.store.RenewLeases(owner_);
  if (!status.ok()) {
    parts_.log.Error("cannot renew leases", {{"error", std::string(status.message())}});
  }
  parts_.executor.RunAfter(kRenewInterval, [this] { KeepLeases(); });
}

void Engine::Run(const OperationRecord& operation) {
  const Verb* const verb = FindVerb(operation.metadata().verb());
  if (verb == nullptr) {
    parts_.log.Error("unknown verb",
                     {{"operation", operation.name()}, {"verb", operation.metadata().verb()}});
    return;
  }
  OperationRunPointer run;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return;  // The next orchestrator takes it.
    run = std::make_shared<OperationRun>(
        parts_, *verb, operation,
        [this, name = operation.name(), uid = operation.machine_uid()] { OnEnd(name, uid); });
    runs_[operation.name()] = run;
  }
  run->Start();
}

void Engine::Apply(const StoreChanges& changes) {
  if (changes.cancels.empty()) return;
  absl::MutexLock lock(&mu_);
  for (const std::string& name : changes.cancels) {
    const auto it = runs_.find(name);
    if (it != runs_.end()) it->second->Cancel();
  }
}

void Engine::OnEnd(const std::string& operation, const std::string& uid) {
  OperationRunPointer last;  // Freed outside the lock.
  bool stopping = false;
  {
    absl::MutexLock lock(&mu_);
    const auto it = runs_.find(operation);
    if (it != runs_.end()) {
      last = std::move(it->second);
      runs_.erase(it);
    }
    stopping = stopping_;
  }
  if (!stopping && on_done_) on_done_(uid);
}

void Engine::Stop() {
  std::vector<OperationRunPointer> runs;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    for (const auto& [name, run] : runs_) runs.push_back(run);
  }
  for (const OperationRunPointer& run : runs) run->Abandon();
  runs.clear();
  absl::MutexLock lock(&mu_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return runs_.empty(); };
  mu_.Await(absl::Condition(&none));
}

int64_t Engine::active() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int64_t>(runs_.size());
}

void Engine::WaitUntilIdle(absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return runs_.empty(); };
  mu_.AwaitWithTimeout(absl::Condition(&none), timeout);
}

void Engine::SetOnDone(absl::AnyInvocable<void(const std::string& uid)> on_done) {
  on_done_ = std::move(on_done);
}

const Verb* Engine::FindVerb(absl::string_view name) const {
  const auto it = verbs_.find(name);
  return it == verbs_.end() ? nullptr : &it->second;
}

}  // namespace machine::orchestrator
