// The driver as the process it is, on a real Docker Engine: the contract of all drivers, and what
// is left when it is killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "driver/v1/driver.grpc.pb.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/process/run.h"

namespace machine::driver::docker {
namespace {

constexpr char kKey[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE1hY2hpbmUgZTJlIHRlc3Qga2V5IC4u e2e";

class ConformanceE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const address = getenv("MACHINE_BED_DOCKER_HOST");
    if (getuid() != 0 || address == nullptr) {
      GTEST_SKIP() << "no engine for tests: run deploy/test.sh, or see tests/e2e/README.md";
    }
    engine_ = address;
    StartDriver();
  }

  void StartDriver() {
    auto driver = conformance::DriverProcess::Start("drivers/docker/machine-driver-docker");
    ASSERT_TRUE(driver.ok()) << driver.status();
    driver_ = *std::move(driver);
  }

  void KillDriver() { ASSERT_EQ(kill(static_cast<pid_t>(driver_->result().pid()), SIGKILL), 0); }

  std::vector<std::string> Docker(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"docker", "--host", engine_});
    const auto result = common::RunProgram(arguments, {.timeout = absl::Seconds(60)});
    if (!result.ok()) return {result.status().ToString()};
    return absl::StrSplit(absl::StripAsciiWhitespace(result->stdout_data + result->stderr_data),
                          '\n', absl::SkipEmpty());
  }

  std::vector<std::string> ContainersOf(absl::string_view uid) const {
    return Docker({"ps", "-aq", "--filter", absl::StrCat("label=org.machine.uid=", uid)});
  }

  ::driver::v1::MachineRef Ref(const std::string& uid, int attempt) const {
    ::driver::v1::MachineRef machine;
    machine.mutable_context()->set_machine_uid(uid);
    machine.mutable_context()->set_machine_name("killed");
    machine.mutable_context()->set_attempt(attempt);
    machine.mutable_context()->set_fencing_token(attempt);
    machine.mutable_context()->set_orchestrator_id(std::string(kTestOrchestrator));
    machine.set_ssh_public_key(kKey);
    *machine.add_options() = Option("docker-endpoint", engine_);
    return machine;
  }

  // Sends Create and reads its events; kills the driver after `kill_after` of them.
  absl::Status Create(const ::driver::v1::MachineRef& machine, std::optional<int> kill_after) {
    ::driver::v1::CreateRequest request;
    *request.mutable_machine() = machine;
    grpc::ClientContext context;
    const common::Channel channel = driver_->Channel();
    channel.Prepare(context, absl::Minutes(2));
    const auto stub = ::driver::v1::Driver::NewStub(channel.grpc());
    const auto reader = stub->Create(&context, request);
    ::driver::v1::ActionEvent event;
    for (int events = 1; reader->Read(&event); ++events) {
      if (kill_after == events) KillDriver();
    }
    const grpc::Status status = reader->Finish();
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }

  std::string engine_;
  std::unique_ptr<conformance::DriverProcess> driver_;
};

TEST_F(ConformanceE2eTest, KeepsTheContract) {
  const machine::v1::OptionValue endpoint = Option("docker-endpoint", engine_);
  conformance::Options options;
  options.options = {endpoint};
  options.different_options = {endpoint, Option("docker-memory", 512)};
  options.vanish = [this](absl::string_view uid) {
    std::vector<std::string> arguments = {"rm", "-f"};
    for (const std::string& id : ContainersOf(uid)) arguments.push_back(id);
    Docker(arguments);
    return absl::OkStatus();
  };
  options.log = [this] { return driver_->Log(); };
  conformance::ExpectConformance(driver_->Channel(), options);
}

TEST_F(ConformanceE2eTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  for (int events = 1; events <= 5; ++events) {
    SCOPED_TRACE(absl::StrCat("killed after event ", events));
    const std::string uid = absl::StrCat("killed-", getpid(), "-", events);
    // It may have been done by the time the signal comes; that is right, too.
    Create(Ref(uid, 1), events).IgnoreError();
    KillDriver();  // Where it had fewer events; until it is waited for, its pid stays its own.
    StartDriver();
    ASSERT_NE(driver_, nullptr);
    const absl::Status again = Create(Ref(uid, 2), std::nullopt);
    EXPECT_TRUE(again.ok()) << again;
    const std::vector<std::string> containers = ContainersOf(uid);
    EXPECT_EQ(containers.size(), 1u);
    EXPECT_EQ(Docker({"exec", containers.empty() ? "none" : containers.front(), "cat",
                      "/root/.ssh/authorized_keys"}),
              std::vector<std::string>{kKey});
    ::driver::v1::RemoveRequest request;
    *request.mutable_machine() = Ref(uid, 3);
    grpc::ClientContext context;
    const common::Channel channel = driver_->Channel();
    channel.Prepare(context, absl::Minutes(2));
    const auto reader = ::driver::v1::Driver::NewStub(channel.grpc())->Remove(&context, request);
    ::driver::v1::ActionEvent event;
    while (reader->Read(&event)) continue;
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(ContainersOf(uid), std::vector<std::string>());
  }
}

}  // namespace
}  // namespace machine::driver::docker
