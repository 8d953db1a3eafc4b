// A driver, waited for.
#ifndef SERVICES_ORCHESTRATOR_IMPORT_DRIVER_WAIT_H_
#define SERVICES_ORCHESTRATOR_IMPORT_DRIVER_WAIT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/orchestrator/drivers/registry.h"
#include "services/orchestrator/engine/operation_run.h"

namespace machine::orchestrator {

/// DriverRegistry::GetDriver() for code that may block. Errors: its.
absl::StatusOr<std::shared_ptr<DriverConnection>> WaitForDriver(const EngineParts& parts,
                                                                absl::string_view name);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_IMPORT_DRIVER_WAIT_H_
