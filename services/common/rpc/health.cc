#include "services/common/rpc/health.h"

#include <grpcpp/generic/generic_stub.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr char kMethod[] = "/grpc.health.v1.Health/Check";
// HealthCheckResponse{status: SERVING}: field 1, a varint, value 1. The request is empty for the
// server as a whole. https://github.com/grpc/grpc/blob/master/doc/health-checking.md
constexpr absl::string_view kServing("\x08\x01", 2);

}  // namespace

absl::Status CheckHealth(const Channel& channel, absl::Duration timeout) {
  grpc::GenericStub stub(channel.grpc());
  grpc::ClientContext context;
  channel.Prepare(context, timeout);
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context, kMethod, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status result) {
                   status = std::move(result);
                   done.Notify();
                 });
  done.WaitForNotification();
  DM_RETURN_IF_ERROR(FromGrpcStatus(status));
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (response.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  if (bytes != kServing) return absl::FailedPreconditionError("it says that it does not serve");
  return absl::OkStatus();
}

}  // namespace machine::common
