// All machines in memory, as the store last committed them: what reads are served from, so that
// they need neither the disk nor a provider.
#ifndef SERVICES_ORCHESTRATOR_EVENTS_MACHINE_INDEX_H_
#define SERVICES_ORCHESTRATOR_EVENTS_MACHINE_INDEX_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "machine/v1/machine.pb.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// A machine as of one commit. Immutable but for when its provider was last asked.
struct IndexedMachine {
  machine::v1::Machine machine;
  /// Microseconds since 1970; 0 when never. An observation that changes nothing moves only this,
  /// so that refreshing 10,000 machines writes nothing.
  mutable std::atomic<int64_t> observed_us = 0;
};
using MachinePointer = std::shared_ptr<const IndexedMachine>;

/// Thread-safe; no method blocks for longer than a copy of pointers.
class MachineIndex {
 public:
  void Load(const machine::v1::Machine& machine);
  /// From the store's listener.
  void Apply(const StoreChanges& changes);

  /// By id, without "machines/"; null when there is none.
  MachinePointer Find(absl::string_view id) const;
  MachinePointer FindByUid(absl::string_view uid) const;

  /// At most `limit` machines in natural order of their names, from the first one after the
  /// NaturalKey `after`.
  std::vector<MachinePointer> List(absl::string_view after, size_t limit) const;
  std::vector<MachinePointer> All() const;

  size_t size() const;

 private:
  void PutLocked(const machine::v1::Machine& machine) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  absl::btree_map<std::string, MachinePointer> by_key_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, MachinePointer> by_id_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, MachinePointer> by_uid_ ABSL_GUARDED_BY(mu_);
};

/// "dev" of "machines/dev"; any other text as it is.
absl::string_view MachineId(absl::string_view name);

/// A copy with observe_time filled in.
machine::v1::Machine ToMessage(const IndexedMachine& indexed);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_EVENTS_MACHINE_INDEX_H_
