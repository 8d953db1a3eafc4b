// Steps that are one call of the machine's driver.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_DRIVER_STEPS_H_
#define SERVICES_ORCHESTRATOR_ENGINE_DRIVER_STEPS_H_

#include "absl/strings/string_view.h"
#include "services/orchestrator/engine/verb.h"

namespace machine::orchestrator {

enum class DriverAction { kCreate, kStart, kStop, kKill, kRestart, kRemove };

/// Calls the driver; stores its checkpoints as they come and its observation at the end.
Step DriverStep(absl::string_view name, absl::string_view message, DriverAction action);

/// Asks the driver, without an effect, whether a create can succeed.
/// Errors: FAILED_PRECONDITION PRECREATE_CHECK_FAILED around the driver's own.
Step PreCreateCheckStep();

/// The status of a driver's call that ended without one of the driver's own errors.
absl::Status DriverCallStatus(absl::Status status, absl::string_view driver);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_DRIVER_STEPS_H_
