// What a driver's method knows about the call it runs for.
#ifndef DRIVERS_SDK_DRIVER_CALL_H_
#define DRIVERS_SDK_DRIVER_CALL_H_

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "driver/v1/driver.pb.h"
#include "services/common/rpc/call_scope.h"

namespace machine::driver {

/// A CallScope (deadline, cancellation, progress, log) of a call about one machine. Thread-safe.
class DriverCall final : public common::CallScope {
 public:
  /// Takes the serialized state of a checkpoint.
  using CheckpointSink = absl::AnyInvocable<void(std::string data)>;

  DriverCall(absl::Time deadline, std::shared_ptr<common::Cancellation> cancellation, Sink sink,
             ::driver::v1::CallContext context = {}, CheckpointSink checkpoint = {},
             const common::Clock& clock = common::Clock::Real());

  /// UUID and name of the machine; both empty in calls about several.
  const std::string& machine_uid() const { return context_.machine_uid(); }
  const std::string& machine_name() const { return context_.machine_name(); }
  /// "operations/{id}"; empty for reads.
  const std::string& operation() const { return context_.operation(); }
  /// Counts from 1; higher after a crash or a retry.
  int attempt() const { return context_.attempt(); }
  int64_t fencing_token() const { return context_.fencing_token(); }
  /// UUID to tag instances with, so that ListInstances finds them.
  const std::string& orchestrator_id() const { return context_.orchestrator_id(); }

  /// Has `state` stored before anything that the driver does after a later checkpoint or the end of
  /// the call is acted upon. Call it as soon as an object exists that the driver must find again by
  /// more than its uid. Without effect in calls that cannot change the machine.
  void Checkpoint(const google::protobuf::MessageLite& state);

 private:
  const ::driver::v1::CallContext context_;
  absl::Mutex mu_;
  CheckpointSink checkpoint_ ABSL_GUARDED_BY(mu_);
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_DRIVER_CALL_H_
