// An operation in logs, and in the calls that it makes to other processes.
#ifndef SERVICES_ORCHESTRATOR_ENGINE_OPERATION_TRACE_H_
#define SERVICES_ORCHESTRATOR_ENGINE_OPERATION_TRACE_H_

#include "services/common/log/log.h"
#include "services/common/rpc/tracing.h"
#include "services/orchestrator/store/store.h"

namespace machine::orchestrator {

/// What a log line about the operation says of it.
inline common::LogFields LogFieldsOf(const OperationRecord& operation) {
  return {{"operation", operation.name()},
          {"machine_uid", operation.machine_uid()},
          {"verb", operation.metadata().verb()},
          {"trace_id", operation.metadata().trace_id()}};
}

/// Has a call to another process belong to the operation's trace.
inline void CarryTrace(const OperationRecord& operation, grpc::ClientContext& context) {
  common::CarryTrace(operation.metadata().trace_id(), context);
}

}  // namespace machine::orchestrator

#endif  // SERVICES_ORCHESTRATOR_ENGINE_OPERATION_TRACE_H_
