#include "services/orchestrator/events/watch_hub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

absl::Status ShuttingDown() {
  return common::Error(absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_SHUTTING_DOWN,
                       "the orchestrator is shutting down; watch again");
}

}  // namespace

// Events reach the stream through the strand: first the replay, then what was committed meanwhile.
struct WatchHub::OperationWatch {
  OperationWatch(common::Executor& executor, std::shared_ptr<OperationStream> to, int64_t after)
      : strand(std::make_shared<common::Strand>(executor)),
        stream(std::move(to)),
        last_sequence(after) {}

  void Push(std::shared_ptr<const machine::v1::OperationEvent> event) {
    if (event->sequence() <= last_sequence) return;
    last_sequence = event->sequence();
    const bool last = event->has_operation();
    stream->Push(std::move(event));
    if (last) stream->End(absl::OkStatus());
  }

  const std::shared_ptr<common::Strand> strand;
  const std::shared_ptr<OperationStream> stream;
  int64_t last_sequence;  // On the strand only.
};

// What is new while a slow reader still gets its first events waits in `pending`, so that it delays
// nobody else. On the machine strand only, but for the stream.
struct WatchHub::MachineWatch {
  MachineFilter filter;
  std::shared_ptr<MachineStream> stream;
  bool live = false;
  std::vector<std::shared_ptr<const machine::v1::MachineEvent>> pending;
};

WatchHub::WatchHub(Store& store, MachineIndex& index, common::Executor& executor,
                   const common::Clock& clock)
    : store_(store),
      index_(index),
      executor_(executor),
      clock_(clock),
      process_token_(absl::StrCat(absl::ToUnixMicros(clock.Now()))),
      machine_strand_(std::make_shared<common::Strand>(executor)) {}

void WatchHub::Apply(const StoreChanges& changes) {
  std::vector<common::Task> done;
  {
    absl::MutexLock lock(&mu_);
    for (const StoreChanges::OperationChange& change : changes.events) {
      if (change.event.has_operation()) {
        const auto waiting = when_done_.find(change.operation);
        if (waiting != when_done_.end()) {
          std::move(waiting->second.begin(), waiting->second.end(), std::back_inserter(done));
          when_done_.erase(waiting);
        }
      }
      const auto it = operations_.find(change.operation);
      if (it == operations_.end()) continue;
      const auto event = std::make_shared<const machine::v1::OperationEvent>(change.event);
      for (const std::shared_ptr<OperationWatch>& watch : it->second) {
        watch->strand->Run([watch, event] { watch->Push(event); });
      }
      if (change.event.has_operation()) operations_.erase(it);
    }
  }
  for (common::Task& callback : done) executor_.Run(std::move(callback));
  for (const StoreChanges::MachineChange& change : changes.machines) {
    const int64_t sequence = ++sequence_;
    auto machine = std::make_shared<const machine::v1::Machine>(change.record.machine());
    machine_strand_->Run([this, machine = std::move(machine), removed = change.removed, sequence] {
      FanOutMachine(machine, removed, sequence);
    });
  }
}

void WatchHub::WatchOperation(const std::string& operation, int64_t after_sequence,
                              std::shared_ptr<OperationStream> stream) {
  auto watch = std::make_shared<OperationWatch>(executor_, std::move(stream), after_sequence);
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return watch->stream->End(ShuttingDown());
    operations_[operation].push_back(watch);
  }
  // Subscribed before the replay is read: what is committed in between comes both ways, and the
  // sequence numbers tell.
  watch->stream->OnEnded([this, operation, watch = watch.get()] {
    absl::MutexLock lock(&mu_);
    const auto it = operations_.find(operation);
    if (it == operations_.end()) return;
    std::erase_if(it->second, [watch](const auto& other) { return other.get() == watch; });
    if (it->second.empty()) operations_.erase(it);
  });
  watch->strand->Run([this, operation, watch] {
    std::vector<machine::v1::OperationEvent> events;
    const absl::Status status = store_.Read([&](StoreReader& reader) -> absl::Status {
      DM_ASSIGN_OR_RETURN(const auto record, reader.FindOperation(operation));
      if (!record.has_value()) {
        return common::Error(absl::StatusCode::kNotFound,
                             machine::v1::ERROR_REASON_OPERATION_NOT_FOUND,
                             absl::StrCat("no operation ", operation));
      }
      DM_ASSIGN_OR_RETURN(events, reader.ListEvents(operation, watch->last_sequence));
      return absl::OkStatus();
    });
    if (!status.ok()) return watch->stream->End(status);
    for (machine::v1::OperationEvent& event : events) {
      watch->Push(std::make_shared<const machine::v1::OperationEvent>(std::move(event)));
    }
  });
}

void WatchHub::WhenDone(const std::string& operation, common::Task callback) {
  {
    absl::MutexLock lock(&mu_);
    when_done_[operation].push_back(std::move(callback));
  }
  executor_.Run([this, operation] {
    bool done = true;
    const absl::Status status = store_.Read([&](StoreReader& reader) -> absl::Status {
      DM_ASSIGN_OR_RETURN(const auto record, reader.FindOperation(operation));
      done = !record.has_value() || record->result().done();
      return absl::OkStatus();
    });
    if (status.ok() && !done) return;  // Its last event will find the callback.
    std::vector<common::Task> callbacks;
    {
      absl::MutexLock lock(&mu_);
      const auto it = when_done_.find(operation);
      if (it == when_done_.end()) return;
      callbacks = std::move(it->second);
      when_done_.erase(it);
    }
    for (common::Task& waiting : callbacks) executor_.Run(std::move(waiting));
  });
}

std::shared_ptr<const machine::v1::MachineEvent> WatchHub::MakeEvent(
    machine::v1::MachineEvent::Type type, const machine::v1::Machine* machine,
    int64_t sequence) const {
  auto event = std::make_shared<machine::v1::MachineEvent>();
  event->set_type(type);
  if (machine != nullptr) *event->mutable_machine() = *machine;
  event->set_resume_token(absl::StrCat(process_token_, ".", sequence));
  event->mutable_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()));
  return event;
}

void WatchHub::FanOutMachine(const std::shared_ptr<const machine::v1::Machine>& machine,
                             bool removed, int64_t sequence) {
  changes_.push_back({sequence, machine, removed});
  if (changes_.size() > kRememberedChanges) changes_.pop_front();
  if (machine_watches_.empty()) return;
  const auto event =
      MakeEvent(removed ? machine::v1::MachineEvent::DELETED : machine::v1::MachineEvent::MODIFIED,
                machine.get(), sequence);
  for (const std::shared_ptr<MachineWatch>& watch : machine_watches_) {
    if (!watch->filter.Fits(*machine)) continue;
    if (watch->live) {
      watch->stream->Push(event);
    } else {
      watch->pending.push_back(event);
    }
  }
}

std::vector<std::shared_ptr<const machine::v1::MachineEvent>> WatchHub::FirstEvents(
    const MachineFilter& filter, const std::string& token, bool send_initial) const {
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  const int64_t now = changes_.empty() ? sequence_.load() : changes_.back().sequence;
  int64_t after = 0;
  const bool resumable = parts.size() == 2 && parts[0] == process_token_ &&
                         absl::SimpleAtoi(parts[1], &after) &&
                         (changes_.empty() ? after == now : after + 1 >= changes_.front().sequence);
  std::vector<std::shared_ptr<const machine::v1::MachineEvent>> events;
  if (resumable) {
    for (const Change& change : changes_) {
      if (change.sequence <= after || !filter.Fits(*change.machine)) continue;
      events.push_back(MakeEvent(
          change.removed ? machine::v1::MachineEvent::DELETED : machine::v1::MachineEvent::MODIFIED,
          change.machine.get(), change.sequence));
    }
  } else if (send_initial || !token.empty()) {
    for (const MachinePointer& indexed : index_.All()) {
      if (!filter.Fits(indexed->machine)) continue;
      events.push_back(MakeEvent(machine::v1::MachineEvent::ADDED, &indexed->machine, now));
    }
  }
  events.push_back(MakeEvent(machine::v1::MachineEvent::BOOKMARK, nullptr, now));
  return events;
}

void WatchHub::WatchMachines(MachineFilter filter, absl::string_view resume_token,
                             bool send_initial, std::shared_ptr<MachineStream> stream) {
  {
    absl::MutexLock lock(&mu_);
    if (ended_) return stream->End(ShuttingDown());
  }
  ++machine_watch_count_;
  stream->OnEnded([this] {
    machine_strand_->Run([this] {
      std::erase_if(machine_watches_, [](const auto& watch) { return watch->stream->ended(); });
      machine_watch_count_ = static_cast<int64_t>(machine_watches_.size());
    });
  });
  auto watch = std::make_shared<MachineWatch>();
  watch->filter = std::move(filter);
  watch->stream = std::move(stream);
  machine_strand_->Run([this, watch, token = std::string(resume_token), send_initial] {
    machine_watches_.push_back(watch);
    executor_.Run([this, watch, events = FirstEvents(watch->filter, token, send_initial)] {
      for (const auto& event : events) {
        if (!watch->stream->PushWhenRoom(event)) return;
      }
      machine_strand_->Run([watch] {
        watch->live = true;
        for (const auto& event : std::exchange(watch->pending, {})) watch->stream->Push(event);
      });
    });
  });
}

void WatchHub::EndAll() {
  absl::flat_hash_map<std::string, std::vector<std::shared_ptr<OperationWatch>>> operations;
  {
    absl::MutexLock lock(&mu_);
    ended_ = true;
    operations.swap(operations_);
  }
  for (const auto& [name, watches] : operations) {
    for (const std::shared_ptr<OperationWatch>& watch : watches) watch->stream->End(ShuttingDown());
  }
  machine_strand_->Run([this] {
    for (const std::shared_ptr<MachineWatch>& watch : machine_watches_) {
      watch->stream->End(ShuttingDown());
    }
    machine_watches_.clear();
    machine_watch_count_ = 0;
  });
}

int64_t WatchHub::watchers() const {
  absl::MutexLock lock(&mu_);
  int64_t count = machine_watch_count_;
  for (const auto& [name, watches] : operations_) count += static_cast<int64_t>(watches.size());
  return count;
}

}  // namespace machine::orchestrator
