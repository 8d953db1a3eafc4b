#include "services/orchestrator/store/change_record.h"

#include <utility>

namespace machine::orchestrator {

using ::orchestrator::store::ChangeRecord;

ChangeRecord ToChangeRecord(const StoreChanges& changes) {
  ChangeRecord record;
  for (const StoreChanges::MachineChange& change : changes.machines) {
    ChangeRecord::MachineChange& machine = *record.add_machines();
    *machine.mutable_record() = change.record;
    machine.set_removed(change.removed);
  }
  for (const StoreChanges::OperationChange& change : changes.events) {
    ChangeRecord::OperationChange& event = *record.add_events();
    event.set_operation(change.operation);
    *event.mutable_event() = change.event;
  }
  record.mutable_cancels()->Add(changes.cancels.begin(), changes.cancels.end());
  record.mutable_drivers()->Add(changes.drivers.begin(), changes.drivers.end());
  record.set_access(changes.access);
  return record;
}

StoreChanges FromChangeRecord(ChangeRecord record) {
  StoreChanges changes;
  for (ChangeRecord::MachineChange& machine : *record.mutable_machines()) {
    changes.machines.push_back({std::move(*machine.mutable_record()), machine.removed()});
  }
  for (ChangeRecord::OperationChange& event : *record.mutable_events()) {
    changes.events.push_back({event.operation(), std::move(*event.mutable_event())});
  }
  changes.cancels.assign(record.cancels().begin(), record.cancels().end());
  changes.drivers.assign(record.drivers().begin(), record.drivers().end());
  changes.access = record.access();
  return changes;
}

}  // namespace machine::orchestrator
