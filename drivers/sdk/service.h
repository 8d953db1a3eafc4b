// A Driver behind the wire: threads, fencing, checks of options and states, errors.
#ifndef DRIVERS_SDK_SERVICE_H_
#define DRIVERS_SDK_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "driver/v1/driver.grpc.pb.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/machine_gate.h"
#include "drivers/sdk/running_calls.h"
#include "drivers/sdk/scrub.h"
#include "services/common/failpoint/failpoints.h"
#include "services/common/log/log.h"
#include "services/common/rpc/child.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server_reactors.h"

namespace machine::driver {

/// The driver.v1 service of one Driver. Every call runs on a pool; nothing blocks in a reaction.
class DriverService final : public common::ChildServer,
                            public ::driver::v1::Driver::CallbackService {
 public:
  /// Checks the driver's schema and initializes it.
  static absl::StatusOr<std::unique_ptr<DriverService>> Create(
      std::unique_ptr<Driver> driver, const DriverEnvironment& environment,
      std::function<void()> request_shutdown);

  std::vector<grpc::Service*> services() override { return {this}; }
  bool Drain(absl::Duration grace) override { return running_.Drain(grace); }

  using Context = grpc::CallbackServerContext;
  using ActionReactor = grpc::ServerWriteReactor<::driver::v1::ActionEvent>;

  grpc::ServerUnaryReactor* Handshake(Context* context,
                                      const ::driver::v1::HandshakeRequest* request,
                                      ::driver::v1::HandshakeResponse* response) override;
  grpc::ServerUnaryReactor* GetCreateFlags(Context* context,
                                           const ::driver::v1::GetCreateFlagsRequest* request,
                                           ::driver::v1::GetCreateFlagsResponse* response) override;
  grpc::ServerUnaryReactor* ValidateOptions(
      Context* context, const ::driver::v1::ValidateOptionsRequest* request,
      ::driver::v1::ValidateOptionsResponse* response) override;
  grpc::ServerWriteReactor<::driver::v1::PreCreateCheckResponse>* PreCreateCheck(
      Context* context, const ::driver::v1::PreCreateCheckRequest* request) override;
  ActionReactor* Create(Context* context, const ::driver::v1::CreateRequest* request) override;
  ActionReactor* Start(Context* context, const ::driver::v1::StartRequest* request) override;
  ActionReactor* Stop(Context* context, const ::driver::v1::StopRequest* request) override;
  ActionReactor* Kill(Context* context, const ::driver::v1::KillRequest* request) override;
  ActionReactor* Restart(Context* context, const ::driver::v1::RestartRequest* request) override;
  ActionReactor* Remove(Context* context, const ::driver::v1::RemoveRequest* request) override;
  grpc::ServerUnaryReactor* GetIP(Context* context, const ::driver::v1::GetIPRequest* request,
                                  ::driver::v1::GetIPResponse* response) override;
  grpc::ServerUnaryReactor* GetState(Context* context, const ::driver::v1::GetStateRequest* request,
                                     ::driver::v1::GetStateResponse* response) override;
  grpc::ServerUnaryReactor* Inspect(Context* context, const ::driver::v1::InspectRequest* request,
                                    ::driver::v1::InspectResponse* response) override;
  grpc::ServerUnaryReactor* BatchInspect(Context* context,
                                         const ::driver::v1::BatchInspectRequest* request,
                                         ::driver::v1::BatchInspectResponse* response) override;
  grpc::ServerWriteReactor<::driver::v1::ListInstancesResponse>* ListInstances(
      Context* context, const ::driver::v1::ListInstancesRequest* request) override;
  grpc::ServerUnaryReactor* UpgradeState(Context* context,
                                         const ::driver::v1::UpgradeStateRequest* request,
                                         ::driver::v1::UpgradeStateResponse* response) override;
  grpc::ServerUnaryReactor* Shutdown(Context* context, const ::driver::v1::ShutdownRequest* request,
                                     google::protobuf::Empty* response) override;

 private:
  using ActionWork =
      absl::AnyInvocable<absl::StatusOr<Observation>(DriverCall&, const MachineSpec&)>;
  struct Action;
  /// Whether a call of a serial driver waits for the others.
  enum class Queue { kNone, kDriver };

  DriverService(std::unique_ptr<Driver> driver, const DriverEnvironment& environment,
                std::function<void()> request_shutdown);

  /// Runs `task` on `executor`; one at a time where the driver is serial.
  void Schedule(common::Executor& executor, common::Task task);
  ActionReactor* StartAction(Context* context, const char* method,
                             const ::driver::v1::MachineRef& machine, Flags::Strictness strictness,
                             ActionWork work);
  void RunAction(Action& action);
  grpc::ServerUnaryReactor* Read(Context* context, const char* method, Queue queue,
                                 Scrubber scrubber,
                                 absl::AnyInvocable<absl::Status(DriverCall&)> work);
  /// The observation of Inspect, GetIP and GetState.
  absl::StatusOr<Observation> InspectOne(DriverCall& call, const ::driver::v1::MachineRef& machine);

  /// The machine with its options completed and its state in the current version.
  absl::StatusOr<MachineSpec> ToSpec(DriverCall& call, const ::driver::v1::MachineRef& machine,
                                     Flags::Strictness strictness);
  absl::Status CheckStateVersion(int version) const;
  void FillStateVersion(Observation& observation) const;
  /// `status` as it goes out, after it was logged.
  absl::Status Finished(const char* method, const ::driver::v1::CallContext& about,
                        const std::string& trace_id, absl::Status status,
                        const Scrubber& scrubber) const;

  const std::unique_ptr<Driver> driver_;
  const DriverInfo info_;
  const Flags flags_;
  const common::Logger log_;
  const std::function<void()> request_shutdown_;
  const common::Failpoints failpoints_ = common::Failpoints::FromEnvironment();
  MachineGate gate_;
  RunningCalls running_;
  // Last, so that they end first. Reads have threads of their own: long actions must not starve
  // them.
  common::Executor reads_;
  common::Executor actions_;
  const std::shared_ptr<common::Strand> strand_;  // Null unless the driver is serial.
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_SERVICE_H_
