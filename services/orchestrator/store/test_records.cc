#include "services/orchestrator/store/test_records.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {

std::string NewTestFolder() {
  const char* const base = std::getenv("TEST_TMPDIR");
  std::string folder = absl::StrCat(base == nullptr ? "/tmp" : base, "/store.XXXXXX");
  return mkdtemp(folder.data()) == nullptr ? "" : folder;
}

MachineRecord TestMachine(absl::string_view name) {
  MachineRecord record;
  record.mutable_machine()->set_name(absl::StrCat("machines/", name));
  record.mutable_machine()->set_uid(absl::StrCat("uid-", name));
  record.mutable_machine()->set_driver("none");
  return record;
}

OperationRecord TestOperation(absl::string_view name, absl::string_view verb) {
  OperationRecord record;
  record.set_name(absl::StrCat("operations/", name, "-", verb));
  record.set_machine_uid(absl::StrCat("uid-", name));
  record.set_machine_name(std::string(name));
  record.set_driver("none");
  record.mutable_metadata()->set_verb(std::string(verb));
  return record;
}

machine::v1::OperationEvent TestEvent(absl::string_view text) {
  machine::v1::OperationEvent event;
  event.mutable_log()->set_text(std::string(text));
  return event;
}

absl::Status InsertWholeMachine(StoreTransaction& transaction, absl::string_view name) {
  const MachineRecord machine = TestMachine(name);
  OperationRecord operation = TestOperation(name, "create");
  machine::v1::OperationEvent first = TestEvent("first");
  machine::v1::OperationEvent second = TestEvent("second");
  DM_RETURN_IF_ERROR(transaction.InsertMachine(machine));
  DM_RETURN_IF_ERROR(transaction.InsertOperation(operation, "owner"));
  DM_RETURN_IF_ERROR(transaction.AppendEvent(operation.name(), first));
  DM_RETURN_IF_ERROR(transaction.PutSecret(machine.machine().uid(), "token", "sealed"));
  DM_RETURN_IF_ERROR(
      transaction.InsertRequest({"caller", std::string(name), "hash", operation.name()}));
  return transaction.AppendEvent(operation.name(), second);
}

absl::Status CheckWholeMachine(StoreReader& reader, absl::string_view name) {
  const OperationRecord operation = TestOperation(name, "create");
  DM_ASSIGN_OR_RETURN(const auto machine, reader.FindMachineByName(name));
  DM_ASSIGN_OR_RETURN(const auto found, reader.FindOperation(operation.name()));
  DM_ASSIGN_OR_RETURN(const auto events, reader.ListEvents(operation.name(), 0));
  DM_ASSIGN_OR_RETURN(const auto secret, reader.FindSecret(operation.machine_uid(), "token"));
  DM_ASSIGN_OR_RETURN(const auto request, reader.FindRequest("caller", name));
  const int parts = machine.has_value() + found.has_value() + secret.has_value() +
                    request.has_value() + static_cast<int>(events.size());
  if (parts == 0) return absl::NotFoundError(name);
  if (parts != 6) return absl::InternalError(absl::StrCat(name, " has ", parts, " of 6 parts"));
  if (machine->machine().pending_operation() != operation.name()) {
    return absl::InternalError(absl::StrCat(name, " has not its pending operation"));
  }
  return absl::OkStatus();
}

}  // namespace machine::orchestrator
