// Pages of ListMachines.
#ifndef SERVICES_ORCHESTRATOR_API_MACHINE_PAGE_H_
#define SERVICES_ORCHESTRATOR_API_MACHINE_PAGE_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "machine/v1/machines.pb.h"
#include "services/orchestrator/api/field_selection.h"
#include "services/orchestrator/events/machine_filter.h"
#include "services/orchestrator/events/machine_index.h"

namespace machine::orchestrator {

/// One page from the index, of the machines that also fit one of `visible` where that has a value.
/// Errors: INVALID_ARGUMENT naming the field of the request.
absl::Status FillMachinePage(const MachineIndex& index,
                             const machine::v1::ListMachinesRequest& request,
                             std::optional<std::vector<MachineFilter>> visible,
                             machine::v1::ListMachinesResponse& response);

/// The selected fields of one machine.
void CopyMachine(const IndexedMachine& machine, const FieldSelection& fields,
                 machine::v1::Machine& to);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_API_MACHINE_PAGE_H_
