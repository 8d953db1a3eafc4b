// The whole service on a Unix socket in this process, with real ssh and HTTP. For tests.
#ifndef SERVICES_PROVISIONER_SERVICE_PROVISIONER_FOR_TEST_H_
#define SERVICES_PROVISIONER_SERVICE_PROVISIONER_FOR_TEST_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "provisioner/v1/provisioner.grpc.pb.h"
#include "services/common/http/http_client.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server.h"
#include "services/provisioner/service/provisioner_service.h"
#include "services/provisioner/steps/http_engine_probe.h"

namespace machine::provisioner {

/// What a streaming call sent.
struct StreamOutcome {
  absl::StatusOr<::provisioner::v1::HostInfo> info = absl::UnknownError("no result");
  std::vector<std::string> progress;  ///< Messages in their order.
  std::vector<std::string> log;
  absl::Duration took;
};

/// Starts with the object; ends with it.
class ProvisionerForTest final {
 public:
  using Stub = ::provisioner::v1::Provisioner::Stub;

  explicit ProvisionerForTest(ConnectionPool::Options pool_options = {});
  ~ProvisionerForTest();

  Stub& stub() { return *stub_; }
  /// With a deadline of 10 minutes.
  std::unique_ptr<grpc::ClientContext> Context() const;
  RunningCalls& calls() { return calls_; }
  std::string metrics_text() const { return metrics_.Serialize(); }

  StreamOutcome WaitForSsh(const ::provisioner::v1::WaitForSshRequest& request);
  StreamOutcome Provision(const ::provisioner::v1::ProvisionRequest& request);
  StreamOutcome Upgrade(const ::provisioner::v1::ProvisionRequest& request);
  StreamOutcome ConfigureTls(const ::provisioner::v1::ProvisionRequest& request);
  absl::StatusOr<::provisioner::v1::HostInfo> Detect(const ::provisioner::v1::SshTarget& target);

 private:
  template <typename Request>
  using StartStream = std::unique_ptr<grpc::ClientReader<::provisioner::v1::ProvisionEvent>> (
      Stub::*)(grpc::ClientContext*, const Request&);

  template <typename Request>
  StreamOutcome Collect(StartStream<Request> start, const Request& request);

  common::Metrics metrics_;
  common::HttpClient http_;
  HttpEngineProbe probe_{http_};
  LoopSshDialer dialer_;
  RunningCalls calls_;
  common::Executor executor_{16};
  ConnectionPool pool_;
  HostAccess access_{dialer_, pool_, metrics_};
  ProvisionerService service_{{executor_, access_, probe_, calls_,
                               common::Logger(common::Severity::kError, "provisioner")}};
  std::string dir_;
  std::unique_ptr<common::RpcServer> server_;
  std::optional<common::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace machine::provisioner

#endif  // SERVICES_PROVISIONER_SERVICE_PROVISIONER_FOR_TEST_H_
