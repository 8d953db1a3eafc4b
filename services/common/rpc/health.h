// The client's side of grpc.health.v1.
#ifndef SERVICES_COMMON_RPC_HEALTH_H_
#define SERVICES_COMMON_RPC_HEALTH_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/common/rpc/channel.h"

namespace machine::common {

/// OK when the server at the other end says of itself that it serves. FAILED_PRECONDITION when it
/// says something else, otherwise the error of the call. Blocks, at most `timeout`.
absl::Status CheckHealth(const Channel& channel, absl::Duration timeout);

}  // namespace machine::common

#endif  // SERVICES_COMMON_RPC_HEALTH_H_
