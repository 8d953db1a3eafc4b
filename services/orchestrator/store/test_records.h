// Records for the tests of this folder.
#ifndef SERVICES_ORCHESTRATOR_STORE_TEST_RECORDS_H_
#define SERVICES_ORCHESTRATOR_STORE_TEST_RECORDS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// A new folder for one test, with a short path.
std::string NewTestFolder();

/// Machine `name` with uid "uid-NAME".
MachineRecord TestMachine(absl::string_view name);

/// "operations/NAME-VERB" on TestMachine(`name`).
OperationRecord TestOperation(absl::string_view name, absl::string_view verb);

/// A line of the log.
machine::v1::OperationEvent TestEvent(absl::string_view text);

/// What a create commits: machine, operation, request, secret and two events.
absl::Status InsertWholeMachine(StoreTransaction& transaction, absl::string_view name);

/// OK when all of what InsertWholeMachine() wrote is there, NOT_FOUND when nothing is, INTERNAL
/// when a part is.
absl::Status CheckWholeMachine(StoreReader& reader, absl::string_view name);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_TEST_RECORDS_H_
