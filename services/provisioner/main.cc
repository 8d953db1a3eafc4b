// machine-provisioner: turns hosts that answer ssh into Docker hosts. A child process of the
// orchestrator; keeps nothing on disk.
#include <memory>
#include <vector>

#include "services/common/clock/clock.h"
#include "services/common/http/http_client.h"
#include "services/common/rpc/child.h"
#include "services/common/rpc/executor.h"
#include "services/provisioner/service/connection_pool.h"
#include "services/provisioner/service/host_access.h"
#include "services/provisioner/service/provisioner_service.h"
#include "services/provisioner/service/running_calls.h"
#include "services/provisioner/service/ssh_dialer.h"
#include "services/provisioner/steps/http_engine_probe.h"

namespace machine::provisioner {
namespace {

// A call that provisions holds a thread; one that streams a session does not.
constexpr int kMaxThreads = 128;

class ProvisionerServer final : public common::ChildServer {
 public:
  explicit ProvisionerServer(const common::ChildEnvironment& environment)
      : pool_(executor_, environment.metrics, {}, common::Clock::Real()),
        access_(dialer_, pool_, environment.metrics),
        service_({executor_, access_, probe_, calls_, environment.log}) {}

  std::vector<grpc::Service*> services() override { return {&service_}; }
  bool Drain(absl::Duration grace) override { return calls_.Drain(grace); }

 private:
  common::HttpClient http_;
  HttpEngineProbe probe_{http_};
  LoopSshDialer dialer_;
  RunningCalls calls_;
  common::Executor executor_{kMaxThreads};
  ConnectionPool pool_;
  HostAccess access_;
  ProvisionerService service_;
};

absl::StatusOr<std::unique_ptr<common::ChildServer>> MakeServer(
    const common::ChildEnvironment& environment) {
  return std::make_unique<ProvisionerServer>(environment);
}

}  // namespace
}  // namespace machine::provisioner

int main(int argc, char** argv) {
  return machine::common::RunChild(
      argc, argv,
      {"provisioner", "machine-provisioner", "Turns hosts that answer ssh into Docker hosts."},
      machine::provisioner::MakeServer);
}
