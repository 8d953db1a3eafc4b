// Goes on removing instances whose machines were removed by force while the provider did not let
// them go, until the provider says that they are gone.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_TOMBSTONE_REAPER_H_
#define SERVICES_ORCHESTRATOR_ENGINE_TOMBSTONE_REAPER_H_

#include <atomic>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/orchestrator/engine/operation_run.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// How long to wait after the attempt that was the `attempts`th to fail: 5 s, doubling to 10 min.
absl::Duration TombstoneDelay(int attempts);

/// What replaces the record of a machine that `operation`, a delete by force, could not remove.
TombstoneRecord MakeTombstone(const OperationRecord& operation, const MachineRecord& machine,
                              const absl::Status& why, absl::Time now);

/// Thread-safe. Of several orchestrators on a store, one does it for all.
class TombstoneReaper {
 public:
  explicit TombstoneReaper(EngineParts parts) : parts_(parts) {}

  /// Looks for tombstones that are due, now and each `interval` after the last look's work is done.
  void Start(absl::Duration interval);
  void Stop() { stopping_ = true; }

  /// Tries to remove one's instance and records what came of it; then `done` gets OK where it is
  /// gone, NOT_FOUND where there is no such tombstone, else why it is not. Never blocks for the
  /// provider; touches the disk.
  void Chase(const std::string& uid, absl::AnyInvocable<void(absl::Status)> done);

 private:
  void Tick();
  void Record(TombstoneRecord tombstone, const absl::Status& outcome,
              absl::AnyInvocable<void(absl::Status)> done);

  const EngineParts parts_;
  absl::Duration interval_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_TOMBSTONE_REAPER_H_
