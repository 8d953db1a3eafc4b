// Keeps what is known of machines fresh, so that reads need not ask any provider.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_REFRESHER_H_
#define SERVICES_ORCHESTRATOR_ENGINE_REFRESHER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// Asks drivers by BatchInspect, each for many machines in one call. Thread-safe.
class Refresher {
 public:
  Refresher(EngineParts parts, MachineIndex& index);

  /// Refreshes every machine each `interval` from now on.
  void Start(absl::Duration interval);
  void Stop();

  /// Asks the drivers of these machines, and calls `done` once when all have answered or `timeout`
  /// has passed; a machine whose driver was silent then has state TIMEOUT. Machines with an
  /// operation under way are left alone: the operation knows better.
  void Refresh(const std::vector<MachinePointer>& machines, absl::Duration timeout,
               absl::AnyInvocable<void()> done);

 private:
  struct Batch;

  void Tick();
  void RunBatch(const std::shared_ptr<Batch>& batch);
  void Apply(const Batch& batch, const absl::Status& status);
  void Record(const Batch& batch, const MachinePointer& machine,
              const ::driver::v1::Observation& observation);

  const EngineParts parts_;
  MachineIndex& index_;
  absl::Duration interval_ = absl::InfiniteDuration();
  std::atomic<bool> stopping_ = false;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_REFRESHER_H_
