// The trace of a call, from its client to its server, as header `traceparent` of W3C Trace Context
// (www.w3.org/TR/trace-context, section 3.2). Log lines name it in the field trace_id, so that what
// all processes did for one operation is found by it.
#ifndef SERVICES_COMMON_RPC_TRACING_H_
#define SERVICES_COMMON_RPC_TRACING_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/strings/string_view.h"

namespace machine::common {

/// A new trace id.
std::string NewTraceId();

/// Has the call carry the trace, with a new span; an empty id adds nothing.
void CarryTrace(absl::string_view trace_id, grpc::ClientContext& context);

/// The trace id, 32 hexadecimal digits, of a traceparent header; empty when it is malformed.
std::string TraceIdOf(absl::string_view traceparent);

/// The trace that a call carries; empty for none.
std::string TraceIdOf(const grpc::CallbackServerContext& context);

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_TRACING_H_
