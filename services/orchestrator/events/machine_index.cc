#include "services/orchestrator/events/machine_index.h"

#include <algorithm>

#include "absl/strings/strip.h"
#include "services/orchestrator/events/natural_order.h"

namespace machine::orchestrator {
namespace {

int64_t Microseconds(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1000;
}

}  // namespace

absl::string_view MachineId(absl::string_view name) { return absl::StripPrefix(name, "machines/"); }

machine::v1::Machine ToMessage(const IndexedMachine& indexed) {
  machine::v1::Machine machine = indexed.machine;
  const int64_t observed_us = indexed.observed_us.load(std::memory_order_relaxed);
  if (observed_us > 0) {
    machine.mutable_observe_time()->set_seconds(observed_us / 1'000'000);
    machine.mutable_observe_time()->set_nanos(static_cast<int32_t>(observed_us % 1'000'000) * 1000);
  }
  return machine;
}

void MachineIndex::Load(const machine::v1::Machine& machine) {
  absl::MutexLock lock(&mu_);
  PutLocked(machine);
}

void MachineIndex::Apply(const StoreChanges& changes) {
  absl::MutexLock lock(&mu_);
  if (changes.observed_us > 0) {
    for (const auto& [uid, indexed] : by_uid_) {
      // One that an operation is at work on was not asked.
      if (!indexed->machine.pending_operation().empty()) continue;
      indexed->observed_us = std::max(indexed->observed_us.load(), changes.observed_us);
    }
  }
  for (const StoreChanges::MachineChange& change : changes.machines) {
    const machine::v1::Machine& machine = change.record.machine();
    if (!change.removed) {
      PutLocked(machine);
      continue;
    }
    const std::string id(MachineId(machine.name()));
    const auto it = by_id_.find(id);
    // The name may have been taken again by another machine.
    if (it != by_id_.end() && it->second->machine.uid() == machine.uid()) {
      by_key_.erase(NaturalKey(id));
      by_id_.erase(it);
    }
    by_uid_.erase(machine.uid());
  }
}

void MachineIndex::PutLocked(const machine::v1::Machine& machine) {
  const std::string id(MachineId(machine.name()));
  auto entry = std::make_shared<IndexedMachine>();
  entry->machine = machine;
  int64_t observed_us = Microseconds(machine.observe_time());
  const auto former = by_uid_.find(machine.uid());
  if (former != by_uid_.end()) {
    observed_us = std::max(observed_us, former->second->observed_us.load());
  }
  entry->observed_us = observed_us;
  by_key_[NaturalKey(id)] = entry;
  by_id_[id] = entry;
  by_uid_[machine.uid()] = std::move(entry);
}

MachinePointer MachineIndex::Find(absl::string_view id) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

MachinePointer MachineIndex::FindByUid(absl::string_view uid) const {
  absl::ReaderMutexLock lock(&mu_);
  const auto it = by_uid_.find(uid);
  return it == by_uid_.end() ? nullptr : it->second;
}

std::vector<MachinePointer> MachineIndex::List(absl::string_view after, size_t limit) const {
  absl::ReaderMutexLock lock(&mu_);
  std::vector<MachinePointer> machines;
  auto it = after.empty() ? by_key_.begin() : by_key_.upper_bound(after);
  for (; it != by_key_.end() && machines.size() < limit; ++it) machines.push_back(it->second);
  return machines;
}

std::vector<MachinePointer> MachineIndex::All() const { return List("", size()); }

size_t MachineIndex::size() const {
  absl::ReaderMutexLock lock(&mu_);
  return by_id_.size();
}

}  // namespace machine::orchestrator
