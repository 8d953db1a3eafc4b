#include "drivers/sdk/driver_call.h"

#include <utility>

namespace machine::driver {

DriverCall::DriverCall(absl::Time deadline, std::shared_ptr<common::Cancellation> cancellation,
                       Sink sink, ::driver::v1::CallContext context, CheckpointSink checkpoint,
                       const common::Clock& clock)
    : CallScope(deadline, std::move(cancellation), std::move(sink), clock),
      context_(std::move(context)),
      checkpoint_(std::move(checkpoint)) {}

void DriverCall::Checkpoint(const google::protobuf::MessageLite& state) {
  absl::MutexLock lock(&mu_);
  if (checkpoint_) checkpoint_(state.SerializeAsString());
}

}  // namespace machine::driver
