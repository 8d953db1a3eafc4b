// A child process whose GetMachine("obedient") ends when it is asked to, and whose
// GetMachine("deaf") does not. Other names are answered at once.
#include <cstdio>

#include "absl/synchronization/mutex.h"
#include "machine/v1/machines.grpc.pb.h"
#include "services/common/rpc/child.h"
#include "services/common/rpc/executor.h"
#include "services/common/rpc/server_reactors.h"

namespace machine::common {
namespace {

class TestServer final : public ChildServer, public machine::v1::Machines::CallbackService {
 public:
  explicit TestServer(const ChildEnvironment& environment)
      : request_shutdown_(environment.request_shutdown) {}

  std::vector<grpc::Service*> services() override { return {this}; }

  bool Drain(absl::Duration grace) override {
    stop_->Cancel();
    absl::MutexLock lock(&mu_);
    const auto idle = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return running_ == 0; };
    // A test does not wait as long as a driver.
    return mu_.AwaitWithTimeout(absl::Condition(&idle), std::min(grace, absl::Milliseconds(500)));
  }

  grpc::ServerUnaryReactor* GetMachine(grpc::CallbackServerContext* context,
                                       const machine::v1::GetMachineRequest* request,
                                       machine::v1::Machine* response) override {
    return RunUnary(executor_, *context, [this, request, response](CallScope&) {
      response->set_name(request->name());
      if (request->name() == "shutdown") request_shutdown_();
      Enter(+1);
      const bool deaf = request->name() == "deaf";
      if (deaf || request->name() == "obedient") {
        std::fputs("entered\n", stdout);
        std::fflush(stdout);
        (deaf ? never_ : stop_)->WaitFor(absl::InfiniteDuration());
      }
      Enter(-1);
      return absl::OkStatus();
    });
  }

 private:
  void Enter(int by) {
    absl::MutexLock lock(&mu_);
    running_ += by;
  }

  const std::function<void()> request_shutdown_;
  const std::shared_ptr<Cancellation> stop_ = std::make_shared<Cancellation>();
  const std::shared_ptr<Cancellation> never_ = std::make_shared<Cancellation>();
  absl::Mutex mu_;
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  Executor executor_{4};
};

absl::StatusOr<std::unique_ptr<ChildServer>> Make(const ChildEnvironment& environment) {
  if (environment.data_dir == "/unusable") return absl::InternalError("no good reason");
  return std::make_unique<TestServer>(environment);
}

}  // namespace
}  // namespace machine::common

int main(int argc, char** argv) {
  return machine::common::RunChild(argc, argv, {"test", "child-test", "A child for tests."},
                                   machine::common::Make);
}
