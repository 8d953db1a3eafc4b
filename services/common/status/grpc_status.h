// The only place where absl::Status and grpc::Status meet.
#ifndef SERVICES_COMMON_STATUS_GRPC_STATUS_H_
#define SERVICES_COMMON_STATUS_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace machine::common {

/// `status` for the wire: code, message, and all details as a serialized google.rpc.Status.
grpc::Status ToGrpcStatus(const absl::Status& status);

/// The reverse of ToGrpcStatus; also reads errors of servers that send no details.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace machine::common

#endif  // SERVICES_COMMON_STATUS_GRPC_STATUS_H_
