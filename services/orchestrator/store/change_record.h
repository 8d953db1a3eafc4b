// What a transaction changed, as a row that other orchestrators read.
#ifndef SERVICES_ORCHESTRATOR_STORE_CHANGE_RECORD_H_
#define SERVICES_ORCHESTRATOR_STORE_CHANGE_RECORD_H_

#include "services/orchestrator/store/records.pb.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

::orchestrator::store::ChangeRecord ToChangeRecord(const StoreChanges& changes);
StoreChanges FromChangeRecord(::orchestrator::store::ChangeRecord record);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_STORE_CHANGE_RECORD_H_
