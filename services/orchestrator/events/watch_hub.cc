#include "services/orchestrator/events/watch_hub.h"

#include <algorithm>
#include <optional>
#include <set>
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

// How long ago a watcher may have been here, to be told what it missed.
constexpr absl::Duration kResumable = absl::Hours(24);
constexpr int kOperationsAtOnce = 200;

int64_t ToNanos(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000'000 + time.nanos();
}

struct ResumeToken {
  std::string process;
  int64_t sequence = 0;
  int64_t time_ns = 0;

  std::string ToString() const { return absl::StrCat(process, ".", sequence, ".", time_ns); }
  static std::optional<ResumeToken> Parse(absl::string_view text) {
    const std::vector<std::string> parts = absl::StrSplit(text, '.');
    ResumeToken token;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &token.sequence) ||
        !absl::SimpleAtoi(parts[2], &token.time_ns)) {
      return std::nullopt;
    }
    token.process = parts[0];
    return token;
  }
};

// The last event of an operation that has ended; none when it cannot be read.
std::optional<machine::v1::OperationEvent> LastEvent(StoreReader& reader,
                                                     const OperationRecord& operation) {
  auto events = reader.ListEvents(operation.name(), 0);
  if (!events.ok() || events->empty() || !events->back().has_operation()) return std::nullopt;
  return std::move(events->back());
}

// What a watcher has missed.
struct Missed {
  int64_t time_ns;
  machine::v1::MachineEvent::Type type;
  machine::v1::Machine machine;
};

// Machines that were removed after `after_ns`, by the operations that removed them.
absl::StatusOr<std::vector<Missed>> RemovedAfter(Store& store, int64_t after_ns) {
  std::vector<Missed> removed;
  DM_RETURN_IF_ERROR(store.Read([&](StoreReader& reader) -> absl::Status {
    std::string after;
    for (bool more = true; more;) {
      DM_ASSIGN_OR_RETURN(const std::vector<OperationRecord> operations,
                          reader.ListOperations("", /*open_only=*/false, after, kOperationsAtOnce));
      more = operations.size() == kOperationsAtOnce;
      for (const OperationRecord& operation : operations) {
        after = operation.name();
        // The list is in the order of their beginning.
        const int64_t begun_ns = ToNanos(operation.metadata().create_time());
        if (after_ns - begun_ns > absl::ToInt64Nanoseconds(kResumable)) more = false;
        const std::string& verb = operation.metadata().verb();
        // A create that was undone removes its machine, too.
        if (!operation.result().done() || (verb != "delete" && verb != "create")) continue;
        DM_ASSIGN_OR_RETURN(const auto record, reader.FindMachine(operation.machine_uid()));
        if (record.has_value()) continue;
        const auto last = LastEvent(reader, operation);
        if (!last.has_value() || ToNanos(last->time()) <= after_ns) continue;
        // What removed it is the last that was done with it; the create before a delete is not.
        const bool known = std::any_of(removed.begin(), removed.end(), [&](const Missed& other) {
          return other.machine.uid() == operation.machine_uid();
        });
        if (known) continue;
        machine::v1::Machine machine;
        machine.set_name(operation.metadata().machine());
        machine.set_uid(operation.machine_uid());
        machine.set_driver(operation.driver());
        removed.push_back(
            {ToNanos(last->time()), machine::v1::MachineEvent::DELETED, std::move(machine)});
      }
    }
    return absl::OkStatus();
  }));
  return removed;
}

// When the store committed a change: an update is stamped by it, a removal comes with the last
// event of its operation.
int64_t TimeOf(const StoreChanges& changes, const StoreChanges::MachineChange& change) {
  if (change.removed) {
    for (const StoreChanges::OperationChange& other : changes.events) {
      if (other.event.has_operation()) return ToNanos(other.event.time());
    }
  }
  return ToNanos(change.record.machine().update_time());
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
  // By uid, the etag that it got among its first events, empty for a removal: the same may still
  // come on the strand.
  absl::flat_hash_map<std::string, std::string> first;
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
    Change next{.sequence = ++sequence_,
                .time_ns = TimeOf(changes, change),
                .machine = std::make_shared<const machine::v1::Machine>(change.record.machine()),
                .removed = change.removed};
    machine_strand_->Run(
        [this, next = std::move(next)]() mutable { FanOutMachine(std::move(next)); });
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

WatchHub::EventPointer WatchHub::MakeEvent(machine::v1::MachineEvent::Type type,
                                           const machine::v1::Machine* machine,
                                           std::string token) const {
  auto event = std::make_shared<machine::v1::MachineEvent>();
  event->set_type(type);
  if (machine != nullptr) *event->mutable_machine() = *machine;
  event->set_resume_token(std::move(token));
  event->mutable_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()));
  return event;
}

std::string WatchHub::Token(int64_t sequence, int64_t time_ns) const {
  return ResumeToken{.process = process_token_, .sequence = sequence, .time_ns = time_ns}
      .ToString();
}

void WatchHub::FanOutMachine(Change change) {
  changes_.push_back(change);
  if (changes_.size() > kRememberedChanges) changes_.pop_front();
  if (machine_watches_.empty()) return;
  const auto event = MakeEvent(
      change.removed ? machine::v1::MachineEvent::DELETED : machine::v1::MachineEvent::MODIFIED,
      change.machine.get(), Token(change.sequence, change.time_ns));
  for (const std::shared_ptr<MachineWatch>& watch : machine_watches_) {
    if (!watch->filter.Fits(*change.machine)) continue;
    const auto known = watch->first.find(change.machine->uid());
    if (known != watch->first.end()) {
      const bool repeated = known->second == (change.removed ? "" : change.machine->etag());
      watch->first.erase(known);
      if (repeated) continue;
    }
    if (watch->live) {
      watch->stream->Push(event);
    } else {
      watch->pending.push_back(event);
    }
  }
}

bool WatchHub::AddStoredChanges(const MachineWatch& watch,
                                const std::vector<MachinePointer>& machines, int64_t& time_ns,
                                std::vector<EventPointer>& events) const {
  const int64_t after_ns = time_ns;
  const int64_t now_ns = absl::ToUnixNanos(clock_.Now());
  // On a shared store times are of several clocks. A clock that was set back tells nothing.
  if (store_.lease_times().poll != absl::InfiniteDuration() || after_ns > now_ns ||
      now_ns - after_ns > absl::ToInt64Nanoseconds(kResumable)) {
    return false;
  }
  std::vector<Missed> missed;
  for (const MachinePointer& indexed : machines) {
    const int64_t time = ToNanos(indexed->machine.update_time());
    time_ns = std::max(time_ns, time);
    if (time > after_ns && watch.filter.Fits(indexed->machine)) {
      missed.push_back({time, machine::v1::MachineEvent::MODIFIED, indexed->machine});
    }
  }
  const absl::StatusOr<std::vector<Missed>> removed = RemovedAfter(store_, after_ns);
  if (!removed.ok()) return false;
  std::set<std::string> gone;
  for (const Missed& each : *removed) {
    // Its labels are gone with it, so a filter may not know it again: then nothing can be told.
    if (!watch.filter.Fits(each.machine)) return false;
    time_ns = std::max(time_ns, each.time_ns);
    gone.insert(each.machine.uid());
  }
  // One that was removed after the machines were listed is among both.
  std::erase_if(missed, [&](const Missed& each) { return gone.contains(each.machine.uid()); });
  missed.insert(missed.end(), removed->begin(), removed->end());
  std::sort(missed.begin(), missed.end(),
            [](const Missed& a, const Missed& b) { return a.time_ns < b.time_ns; });
  for (const Missed& each : missed) {
    // Without a process: what follows in this list has no place in its sequence.
    events.push_back(MakeEvent(each.type, &each.machine,
                               ResumeToken{.process = "", .time_ns = each.time_ns}.ToString()));
  }
  return true;
}

std::vector<WatchHub::EventPointer> WatchHub::FirstEvents(MachineWatch& watch,
                                                          const std::string& token,
                                                          bool send_initial) const {
  const std::optional<ResumeToken> from = ResumeToken::Parse(token);
  const int64_t now = changes_.empty() ? 0 : changes_.back().sequence;
  int64_t now_ns = changes_.empty() ? 0 : changes_.back().time_ns;
  std::vector<EventPointer> events;
  const bool remembered =
      from.has_value() && from->process == process_token_ &&
      (changes_.empty() ? from->sequence == now : from->sequence + 1 >= changes_.front().sequence);
  if (remembered) {
    now_ns = std::max(now_ns, from->time_ns);
    for (const Change& change : changes_) {
      if (change.sequence <= from->sequence || !watch.filter.Fits(*change.machine)) continue;
      events.push_back(MakeEvent(
          change.removed ? machine::v1::MachineEvent::DELETED : machine::v1::MachineEvent::MODIFIED,
          change.machine.get(), Token(change.sequence, change.time_ns)));
    }
  } else {
    const std::vector<MachinePointer> machines = index_.All();
    int64_t last_ns = from.has_value() ? from->time_ns : 0;
    if (!from.has_value() || !AddStoredChanges(watch, machines, last_ns, events)) {
      last_ns = 0;
      for (const MachinePointer& indexed : machines) {
        last_ns = std::max(last_ns, ToNanos(indexed->machine.update_time()));
        if ((!send_initial && token.empty()) || !watch.filter.Fits(indexed->machine)) continue;
        // Only the bookmark's token covers them all: who stops before it begins anew.
        events.push_back(MakeEvent(machine::v1::MachineEvent::ADDED, &indexed->machine, ""));
      }
    }
    now_ns = std::max(now_ns, last_ns);
    for (const EventPointer& event : events) {
      const bool gone = event->type() == machine::v1::MachineEvent::DELETED;
      watch.first[event->machine().uid()] = gone ? "" : event->machine().etag();
    }
  }
  events.push_back(MakeEvent(machine::v1::MachineEvent::BOOKMARK, nullptr, Token(now, now_ns)));
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
    executor_.Run([this, watch, events = FirstEvents(*watch, token, send_initial)] {
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
