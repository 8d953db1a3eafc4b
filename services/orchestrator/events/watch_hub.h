// Who is told of what the store commits: watchers of operations and of machines.
#ifndef SERVICES_ORCHESTRATOR_EVENTS_WATCH_HUB_H_
#define SERVICES_ORCHESTRATOR_EVENTS_WATCH_HUB_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "machine/v1/machines.pb.h"
#include "machine/v1/operations.pb.h"
#include "services/common/clock/clock.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server_reactors.h"
#include "services/orchestrator/events/machine_filter.h"
#include "services/orchestrator/events/machine_index.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

using OperationStream = common::EventStream<machine::v1::OperationEvent>;
using MachineStream = common::EventStream<machine::v1::MachineEvent>;

/// Thread-safe. Fan-out runs on the executor, never on the store's thread and never under the lock
/// that subscribing takes.
class WatchHub {
 public:
  WatchHub(Store& store, MachineIndex& index, common::Executor& executor,
           const common::Clock& clock);

  /// From the store's listener, after the index was updated.
  void Apply(const StoreChanges& changes);

  /// Replays the events after `after_sequence` from the store, then follows; ends the stream after
  /// the operation's last event. NOT_FOUND ends it at once.
  void WatchOperation(const std::string& operation, int64_t after_sequence,
                      std::shared_ptr<OperationStream> stream);

  /// Follows machines that fit. A resume token goes on after the event that it came with, also in
  /// another process on the same embedded store: then with the last state of each machine that was
  /// changed since, and what was removed. One that is too old, or of another process on a shared
  /// store, starts again with every machine as ADDED, up to a BOOKMARK: what the watcher knows
  /// beside these is gone.
  void WatchMachines(MachineFilter filter, absl::string_view resume_token, bool send_initial,
                     std::shared_ptr<MachineStream> stream);

  /// Runs `callback` on the executor once the operation is done; at once when it is already.
  void WhenDone(const std::string& operation, common::Task callback);

  /// Ends all watches with UNAVAILABLE SHUTTING_DOWN; later ones at once.
  void EndAll();

  /// Streams open now.
  int64_t watchers() const;

 private:
  struct OperationWatch;
  struct MachineWatch;

  // Remembered so that a watcher who lost its line for a moment resumes without a full replay.
  static constexpr size_t kRememberedChanges = 1024;

  using EventPointer = std::shared_ptr<const machine::v1::MachineEvent>;

  struct Change {
    int64_t sequence;
    // When the store made it, in nanoseconds since 1970: grows with the sequence.
    int64_t time_ns;
    std::shared_ptr<const machine::v1::Machine> machine;
    bool removed;
  };

  void FanOutMachine(Change change);
  EventPointer MakeEvent(machine::v1::MachineEvent::Type type, const machine::v1::Machine* machine,
                         std::string token) const;
  std::string Token(int64_t sequence, int64_t time_ns) const;
  // What a new watcher gets first: what it missed, or everything, then a bookmark.
  std::vector<EventPointer> FirstEvents(MachineWatch& watch, const std::string& token,
                                        bool send_initial) const;
  // What was changed after `time_ns`, from what is stored; sets it to the time of the last change.
  // False when that cannot be told.
  bool AddStoredChanges(const MachineWatch& watch, const std::vector<MachinePointer>& machines,
                        int64_t& time_ns, std::vector<EventPointer>& events) const;

  Store& store_;
  MachineIndex& index_;
  common::Executor& executor_;
  const common::Clock& clock_;
  const std::string process_token_;
  const std::shared_ptr<common::Strand> machine_strand_;

  mutable absl::Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<std::string, std::vector<std::shared_ptr<OperationWatch>>> operations_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::vector<common::Task>> when_done_ ABSL_GUARDED_BY(mu_);

  // Touched on machine_strand_ only, but for the count.
  std::deque<Change> changes_;
  std::vector<std::shared_ptr<MachineWatch>> machine_watches_;
  std::atomic<int64_t> machine_watch_count_ = 0;
  std::atomic<int64_t> sequence_ = 0;
};

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_EVENTS_WATCH_HUB_H_
