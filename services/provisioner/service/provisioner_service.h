// The gRPC edge of the provisioner.
#ifndef SERVICES_PROVISIONER_SERVICE_PROVISIONER_SERVICE_H_
#define SERVICES_PROVISIONER_SERVICE_PROVISIONER_SERVICE_H_

#include "absl/time/time.h"
#include "provisioner/v1/provisioner.grpc.pb.h"
#include "services/common/failpoint/failpoints.h"
#include "services/common/log/log.h"
#include "services/common/rpc/executor.h"
#include "services/provisioner/service/host_access.h"
#include "services/provisioner/service/running_calls.h"
#include "services/provisioner/steps/engine_check.h"
#include "services/provisioner/steps/provision.h"

namespace machine::provisioner {

/// Answers every call on the executor's threads; transport only. Thread-safe.
class ProvisionerService final : public ::provisioner::v1::Provisioner::CallbackService {
 public:
  /// All must outlive the service and its calls.
  struct Dependencies {
    common::Executor& executor;
    HostAccess& access;
    const EngineProbe& probe;
    RunningCalls& calls;
    common::Logger log;
  };

  explicit ProvisionerService(Dependencies dependencies) : dependencies_(dependencies) {}

  grpc::ServerWriteReactor<::provisioner::v1::ProvisionEvent>* WaitForSsh(
      grpc::CallbackServerContext* context,
      const ::provisioner::v1::WaitForSshRequest* request) override;
  grpc::ServerUnaryReactor* Detect(grpc::CallbackServerContext* context,
                                   const ::provisioner::v1::DetectRequest* request,
                                   ::provisioner::v1::HostInfo* response) override;
  grpc::ServerWriteReactor<::provisioner::v1::ProvisionEvent>* Provision(
      grpc::CallbackServerContext* context,
      const ::provisioner::v1::ProvisionRequest* request) override;
  grpc::ServerWriteReactor<::provisioner::v1::ProvisionEvent>* Upgrade(
      grpc::CallbackServerContext* context,
      const ::provisioner::v1::ProvisionRequest* request) override;
  grpc::ServerWriteReactor<::provisioner::v1::ProvisionEvent>* ConfigureTls(
      grpc::CallbackServerContext* context,
      const ::provisioner::v1::ProvisionRequest* request) override;
  grpc::ServerUnaryReactor* ConfigureSwarm(
      grpc::CallbackServerContext* context, const ::provisioner::v1::ConfigureSwarmRequest* request,
      ::provisioner::v1::ConfigureSwarmResponse* response) override;
  grpc::ServerUnaryReactor* LeaveSwarm(grpc::CallbackServerContext* context,
                                       const ::provisioner::v1::LeaveSwarmRequest* request,
                                       ::provisioner::v1::LeaveSwarmResponse* response) override;
  grpc::ServerUnaryReactor* CheckDocker(grpc::CallbackServerContext* context,
                                        const ::provisioner::v1::CheckDockerRequest* request,
                                        ::provisioner::v1::CheckDockerResponse* response) override;
  grpc::ServerBidiReactor<::provisioner::v1::ExecRequest, machine::v1::ExecResponse>* Exec(
      grpc::CallbackServerContext* context) override;
  grpc::ServerBidiReactor<::provisioner::v1::TunnelRequest, machine::v1::TunnelResponse>* Tunnel(
      grpc::CallbackServerContext* context) override;

 private:
  using HostWork =
      std::function<absl::StatusOr<::provisioner::v1::HostInfo>(common::CallScope& call)>;

  grpc::ServerWriteReactor<::provisioner::v1::ProvisionEvent>* StreamCall(
      grpc::CallbackServerContext& context, const char* method, std::string machine_uid,
      HostWork work);
  grpc::ServerUnaryReactor* UnaryCall(grpc::CallbackServerContext& context,
                                      std::function<absl::Status(common::CallScope&)> work);
  grpc::ServerWriteReactor<::provisioner::v1::ProvisionEvent>* ProvisionCall(
      grpc::CallbackServerContext& context, const ::provisioner::v1::ProvisionRequest& request,
      const char* method, Purpose purpose);

  Dependencies dependencies_;
  // For the tests of crashes: provisioner.METHOD.POINT.
  const common::Failpoints failpoints_ = common::Failpoints::FromEnvironment();
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_PROVISIONER_SERVICE_H_
