// Removal of an instance outside of an operation: there is no machine any more that could have one.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_INSTANCE_REMOVAL_H_
#define SERVICES_ORCHESTRATOR_ENGINE_INSTANCE_REMOVAL_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "driver/v1/driver.pb.h"
#include "services/orchestrator/engine/operation_run.h"

namespace machine::orchestrator {

/// Has `driver` remove the instance of `machine` and everything made for it. Never blocks; `done`
/// gets OK once the provider says that it is gone, maybe in a reaction.
void RemoveInstance(const EngineParts& parts, const std::string& driver,
                    ::driver::v1::MachineRef machine, absl::AnyInvocable<void(absl::Status)> done);

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_INSTANCE_REMOVAL_H_
