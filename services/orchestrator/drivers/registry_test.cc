#include "services/orchestrator/drivers/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "driver/v1/driver.grpc.pb.h"
#include "services/common/crypto/random.h"
#include "services/common/metrics/metrics.h"
#include "services/common/rpc/server.h"
#include "services/common/status/grpc_status.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A driver of some version, as far as the orchestrator speaks with it at first.
class FakeDriver final : public ::driver::v1::Driver::Service {
 public:
  // What it speaks, and whether it refuses callers that speak something else.
  std::atomic<int> api = 1;
  std::atomic<bool> refuses = false;

  grpc::Status Handshake(grpc::ServerContext*, const ::driver::v1::HandshakeRequest* request,
                         ::driver::v1::HandshakeResponse* response) override {
    if (refuses && (request->min_api() > api || request->max_api() < api)) {
      return common::ToGrpcStatus(common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_DRIVER_API_MISMATCH,
          absl::StrCat("lab driver 9.0 speaks API ", api.load())));
    }
    response->set_api(api);
    response->set_driver_version("9.0");
    return grpc::Status::OK;
  }
  grpc::Status GetCreateFlags(grpc::ServerContext*, const ::driver::v1::GetCreateFlagsRequest*,
                              ::driver::v1::GetCreateFlagsResponse*) override {
    return grpc::Status::OK;
  }
};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    common::RpcServerOptions options;
    options.address = "127.0.0.1:0";
    options.insecure_loopback = true;
    options.services = {&driver_};
    server_ = *common::RpcServer::Start(options);
  }

  absl::Status Register() {
    machine::v1::RegisterDriverRequest request;
    request.set_name("lab");
    request.set_address(server_->address());
    return drivers_.Register(request).status();
  }

  absl::Status Get(DriverRegistry& drivers) {
    absl::Status result;
    absl::Notification done;
    drivers.GetDriver("lab", [&](absl::StatusOr<std::shared_ptr<DriverConnection>> connection) {
      result = connection.status();
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  const std::string folder_ = NewTestFolder();
  const SecretVault vault_{
      *common::SealingKey::FromBytes(common::SecretString(common::RandomBytes(32)))};
  const std::unique_ptr<SqliteStore> store_ = *SqliteStore::Open(folder_ + "/store.db");
  DriverAuthority authority_{*store_, vault_};
  common::Metrics metrics_;
  common::Executor executor_{4};
  Supervisor supervisor_{{.libexec_dir = folder_, .runtime_dir = folder_},
                         executor_,
                         metrics_,
                         common::Logger(common::Severity::kError, "test"),
                         common::Clock::Real()};
  DriverRegistry drivers_{supervisor_, *store_, vault_, authority_, executor_, "test"};
  FakeDriver driver_;
  std::unique_ptr<common::RpcServer> server_;
};

TEST_F(RegistryTest, ADriverOfAnotherApiIsNotRegistered) {
  driver_.api = 2;
  for (const bool refuses : {false, true}) {
    driver_.refuses = refuses;
    const absl::Status status = Register();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_DRIVER_API_MISMATCH) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("9.0"));
    EXPECT_THAT(*drivers_.List(), IsEmpty());
  }
}

TEST_F(RegistryTest, ADriverThatWasUpgradedPastThisOrchestratorIsRefusedUntilItIsBack) {
  ASSERT_EQ(Register(), absl::OkStatus());
  driver_.api = 2;
  // As after a restart of the orchestrator: what was agreed on before is not known any more.
  DriverRegistry anew(supervisor_, *store_, vault_, authority_, executor_, "test");
  EXPECT_EQ(common::ReasonOf(Get(anew)), machine::v1::ERROR_REASON_DRIVER_API_MISMATCH);
  EXPECT_THAT(*anew.List(), SizeIs(1));
  driver_.api = 1;
  EXPECT_EQ(Get(anew), absl::OkStatus());
}

}  // namespace
}  // namespace machine::orchestrator
