#include "services/orchestrator/engine/engine.h"

#include <utility>
#include <vector>

#include "services/common/crypto/random.h"
#include "services/common/status/status.h"
#include "services/orchestrator/engine/verbs/verbs.h"

namespace machine::orchestrator {
namespace {

constexpr int kClaimBatch = 64;

std::map<std::string, Verb, std::less<>> AllVerbs() {
  std::map<std::string, Verb, std::less<>> verbs;
  for (Verb verb : {MakeCreateVerb(), MakeDeleteVerb(), MakeStartVerb(), MakeStopVerb(),
                    MakeKillVerb(), MakeRestartVerb(), MakeProvisionVerb(), MakeUpgradeVerb(),
                    MakeRegenerateCertsVerb(), MakeRenewCertsVerb()}) {
    const std::string name(verb.name);
    verbs.emplace(name, std::move(verb));
  }
  return verbs;
}

}  // namespace

Engine::Engine(EngineParts parts)
    : parts_(parts), times_(parts.store.lease_times()), verbs_(AllVerbs()), tenure_(NewTenure()) {}

Engine::~Engine() { Stop(); }

std::shared_ptr<Tenure> Engine::NewTenure() const {
  return std::make_shared<Tenure>(common::NewUuid(), times_.give_up, parts_.clock);
}

std::string Engine::owner() const {
  absl::MutexLock lock(&mu_);
  return tenure_->owner();
}

std::shared_ptr<Tenure> Engine::CurrentTenure() {
  std::vector<OperationRunPointer> dropped;
  std::shared_ptr<Tenure> current;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return nullptr;
    if (tenure_->Lasts()) return tenure_;
    // Under a new name: leases of the old one are not renewed any more, so they can be claimed.
    current = tenure_ = NewTenure();
    for (const auto& [name, running] : runs_) dropped.push_back(running.run);
  }
  parts_.log.Warning("leases were not renewed in time: operations are left to others",
                     {{"operations", std::to_string(dropped.size())}});
  parts_.metrics.Count("lease_lost_total", {});
  for (const OperationRunPointer& run : dropped) run->Abandon();
  return current;
}

absl::Status Engine::Start() {
  DM_RETURN_IF_ERROR(Claim());
  parts_.executor.RunAfter(times_.renew, [this] { KeepLeases(); });
  if (times_.poll != absl::InfiniteDuration()) {
    parts_.executor.RunAfter(times_.poll, [this] { KeepClaiming(); });
  }
  return absl::OkStatus();
}

absl::Status Engine::Claim() {
  for (;;) {
    const std::shared_ptr<Tenure> tenure = CurrentTenure();
    if (tenure == nullptr) return absl::OkStatus();
    DM_ASSIGN_OR_RETURN(const std::vector<OperationRecord> claimed,
                        parts_.store.ClaimOperations(tenure->owner(), kClaimBatch));
    for (const OperationRecord& operation : claimed) {
      if (operation.result().done()) {
        parts_.log.Error("an operation cannot be read and is given up",
                         {{"operation", operation.name()}, {"machine", operation.machine_name()}});
        continue;
      }
      parts_.log.Info("going on with an operation",
                      {{"operation", operation.name()},
                       {"verb", operation.metadata().verb()},
                       {"trace_id", operation.metadata().trace_id()}});
      Run(operation, tenure->owner());
    }
    if (claimed.size() < kClaimBatch) return absl::OkStatus();
  }
}

void Engine::KeepClaiming() {
  const absl::Status status = Claim();
  if (!status.ok()) {
    parts_.log.Error("cannot look for operations", {{"error", std::string(status.message())}});
  }
  absl::MutexLock lock(&mu_);
  if (!stopping_) parts_.executor.RunAfter(times_.poll, [this] { KeepClaiming(); });
}

void Engine::KeepLeases() {
  const std::shared_ptr<Tenure> tenure = CurrentTenure();
  if (tenure == nullptr) return;
  const absl::Duration start = parts_.clock.Steady();
  const absl::Status status = parts_.store.RenewLeases(tenure->owner());
  const bool renewed =
      status.ok() || common::ReasonOf(status) == machine::v1::ERROR_REASON_LEASE_LOST;
  if (renewed) tenure->Renewed(start);
  if (!status.ok()) {
    parts_.log.Error("cannot renew leases", {{"error", std::string(status.message())}});
  }
  // Sooner after a failure, so that the end of the tenure is not noticed too late.
  const bool hurry = !renewed && times_.give_up != absl::InfiniteDuration();
  parts_.executor.RunAfter(hurry ? times_.renew / 5 : times_.renew, [this] { KeepLeases(); });
}

void Engine::Run(const OperationRecord& operation, absl::string_view owner) {
  const Verb* const verb = FindVerb(operation.metadata().verb());
  if (verb == nullptr) {
    parts_.log.Error("unknown verb",
                     {{"operation", operation.name()}, {"verb", operation.metadata().verb()}});
    return;
  }
  OperationRunPointer run;
  OperationRunPointer former;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_ || owner != tenure_->owner()) return;  // The next claimer takes it.
    run = std::make_shared<OperationRun>(
        parts_, *verb, operation, tenure_,
        [this, name = operation.name(), epoch = operation.epoch(), uid = operation.machine_uid()] {
          OnEnd(name, epoch, uid);
        });
    Running& running = runs_[operation.name()];
    former = std::exchange(running.run, run);
    running.epoch = operation.epoch();
  }
  if (former != nullptr) former->Abandon();
  run->Start();
}

void Engine::Apply(const StoreChanges& changes) {
  if (changes.cancels.empty()) return;
  absl::MutexLock lock(&mu_);
  for (const std::string& name : changes.cancels) {
    const auto it = runs_.find(name);
    if (it != runs_.end()) it->second.run->Cancel();
  }
}

void Engine::OnEnd(const std::string& operation, int64_t epoch, const std::string& uid) {
  OperationRunPointer last;  // Freed outside the lock.
  bool stopping = false;
  {
    absl::MutexLock lock(&mu_);
    const auto it = runs_.find(operation);
    if (it != runs_.end() && it->second.epoch == epoch) {
      last = std::move(it->second.run);
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
    for (const auto& [name, running] : runs_) runs.push_back(running.run);
  }
  for (const OperationRunPointer& run : runs) run->Abandon();
  runs.clear();
  std::string owner;
  {
    absl::MutexLock lock(&mu_);
    const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return runs_.empty(); };
    mu_.Await(absl::Condition(&none));
    if (std::exchange(released_, true) || times_.poll == absl::InfiniteDuration()) return;
    owner = tenure_->owner();
  }
  // Others need not wait for the leases to run out; should this fail, they do.
  parts_.store.ReleaseLeases(owner).IgnoreError();
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
