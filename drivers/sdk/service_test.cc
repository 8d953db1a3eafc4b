#include "drivers/sdk/service.h"

#include <gmock/gmock.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "drivers/sdk/conformance/conformance.h"
#include "drivers/sdk/conformance/driver_client.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/fake_driver.h"
#include "services/common/rpc/channel.h"
#include "services/common/rpc/server.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using common::ReasonOf;
using conformance::ActionOutcome;
using conformance::DriverClient;
using ::driver::v1::CreateRequest;
using ::driver::v1::MachineRef;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Stub = ::driver::v1::Driver::Stub;

constexpr char kSecret[] = "correct horse battery staple";

machine::v1::OptionValue Token() {
  machine::v1::OptionValue option;
  option.set_name("fake-token");
  option.set_secret_value(kSecret);
  return option;
}

machine::v1::OptionValue Size(const std::string& size) {
  machine::v1::OptionValue option;
  option.set_name("fake-size");
  option.set_string_value(size);
  return option;
}

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/sdkXXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    ASSERT_EQ(pipe(log_pipe_), 0);
  }

  void TearDown() override {
    server_.reset();
    service_.reset();
    close(log_pipe_[0]);
    close(log_pipe_[1]);
    unlink(absl::StrCat(folder_, "/s").c_str());
    rmdir(folder_.c_str());
  }

  void Serve(FakeBehavior behavior) {
    auto driver = std::make_unique<FakeDriver>(std::move(behavior));
    driver_ = driver.get();
    const DriverEnvironment environment = {
        .log = common::Logger(common::Severity::kDebug, "fake", log_pipe_[1])};
    auto service =
        DriverService::Create(std::move(driver), environment, [this] { shutdown_.Notify(); });
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    common::RpcServerOptions options;
    options.address = absl::StrCat("unix:", folder_, "/s");
    options.cookie = "c";
    options.services = service_->services();
    auto server = common::RpcServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  common::Channel Channel() const { return common::Channel::Local(server_->address(), "c"); }
  DriverClient Client() const { return DriverClient(Channel(), absl::Seconds(30)); }

  static MachineRef Machine(const std::string& uid, int64_t token) {
    MachineRef machine;
    machine.mutable_context()->set_machine_uid(uid);
    machine.mutable_context()->set_fencing_token(token);
    *machine.add_options() = Token();
    return machine;
  }

  ActionOutcome Create(const MachineRef& machine) const {
    CreateRequest request;
    *request.mutable_machine() = machine;
    return Client().Act(&Stub::Create, request);
  }

  std::string folder_;
  int log_pipe_[2] = {-1, -1};
  FakeDriver* driver_ = nullptr;
  std::unique_ptr<DriverService> service_;
  std::unique_ptr<common::RpcServer> server_;
  absl::Notification shutdown_;
};

conformance::Options ConformanceOptions() {
  conformance::Options options;
  options.options = {Token()};
  options.different_options = {Token(), Size("large")};
  options.timeout = absl::Seconds(30);
  options.ssh_private_key =
      "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IHJlYWxseSBhIGtleSBhdCBhbGw=\n-----END-----\n";
  return options;
}

TEST_F(ServiceTest, ADriverOnThisSdkConforms) {
  Serve({});
  conformance::Options options = ConformanceOptions();
  options.vanish = [this](absl::string_view uid) { return driver_->VanishForTest(uid); };
  // The pipe holds less than the suite makes the service log, so it is drained beside it.
  std::string log;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t count; (count = read(log_pipe_[0], buffer, sizeof(buffer))) > 0;) {
      log.append(buffer, static_cast<size_t>(count));
      if (log.find("\"the end\"") != std::string::npos) return;
    }
  });
  conformance::ExpectConformance(Channel(), options);
  common::Logger(common::Severity::kInfo, "test", log_pipe_[1]).Info("the end");
  reader.join();
  EXPECT_THAT(log, Not(HasSubstr(kSecret)));
  EXPECT_THAT(log, HasSubstr("call failed"));
  EXPECT_TRUE(driver_->InstancesForTest().empty()) << "the suite removes what it makes";
}

TEST_F(ServiceTest, ADriverThatCanDoLittleConformsToo) {
  FakeBehavior behavior;
  behavior.capabilities = {};
  Serve(behavior);
  // Kill, Restart and lists exist in the fake: the rules must notice what is not announced.
  std::vector<std::string> broken;
  for (const auto& result : conformance::RunConformance(Channel(), ConformanceOptions())) {
    if (!result.status.ok()) broken.push_back(result.rule);
  }
  EXPECT_THAT(broken, ElementsAre("kills, also what is killed", "restarts", "lists its instances"));
}

struct Fault {
  const char* label;
  FakeBehavior behavior;
  const char* rule;
};

TEST_F(ServiceTest, TheConformanceSuiteFindsFaults) {
  FakeBehavior forgets;
  forgets.forgets_instances = true;
  FakeBehavior stops_once;
  stops_once.stops_only_once = true;
  FakeBehavior throws;
  throws.throws = true;
  FakeBehavior unspecified;
  unspecified.capabilities = {::driver::v1::CAPABILITY_UNSPECIFIED};
  const Fault faults[] = {
      {"makes a second instance", forgets, "adopts what it made before"},
      {"stop is no goal", stops_once, "stops and starts, also what is stopped or started"},
      {"throws", throws, "reports the same in all reads"},
      {"a capability without meaning", unspecified, "agrees on the API and describes itself"},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.label);
    server_.reset();
    Serve(fault.behavior);
    std::vector<std::string> broken;
    for (const auto& result : conformance::RunConformance(Channel(), ConformanceOptions())) {
      if (!result.status.ok()) broken.push_back(result.rule);
    }
    EXPECT_THAT(broken, Contains(fault.rule));
  }
}

TEST_F(ServiceTest, ExceptionsOfLibrariesAreInternalErrors) {
  FakeBehavior behavior;
  behavior.throws = true;
  Serve(behavior);
  ::driver::v1::InspectRequest request;
  *request.mutable_machine() = Machine("m", 1);
  const absl::Status status = Client().Call(&Stub::Inspect, request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a library's exception"));
}

TEST_F(ServiceTest, ANewerOwnerEndsTheOldOnesCall) {
  absl::Notification first_runs;
  std::atomic<int> creates = 0;
  FakeBehavior behavior;
  behavior.in_create = [&](DriverCall& call) {
    if (++creates > 1) return absl::OkStatus();
    first_runs.Notify();
    return call.Sleep(absl::InfiniteDuration());
  };
  Serve(behavior);
  ActionOutcome old_owner;
  std::thread call([&] { old_owner = Create(Machine("m", 1)); });
  first_runs.WaitForNotification();
  const ActionOutcome new_owner = Create(Machine("m", 2));
  call.join();
  EXPECT_TRUE(new_owner.status.ok()) << new_owner.status;
  EXPECT_EQ(old_owner.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(old_owner.status), machine::v1::ERROR_REASON_STALE_FENCING_TOKEN);
  ASSERT_TRUE(old_owner.state.has_value()) << "the checkpoint came before the end";
  EXPECT_EQ(old_owner.state->version(), 2);
  EXPECT_EQ(driver_->InstancesForTest().size(), 1);
}

// Runs two creates and returns how many were in the driver at once.
int MostAtOnce(FakeBehavior& behavior, const std::function<void(FakeBehavior)>& serve,
               const std::function<void()>& create_two) {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  absl::Mutex mu;
  behavior.in_create = [&](DriverCall&) {
    const int now = ++inside;
    if (now > most) most = now;
    // A parallel create shows up at once; a queued one never does.
    absl::MutexLock lock(&mu);
    const auto both = [&] { return most.load() > 1; };
    mu.AwaitWithTimeout(absl::Condition(&both), absl::Milliseconds(300));
    --inside;
    return absl::OkStatus();
  };
  serve(behavior);
  create_two();
  return most;
}

TEST_F(ServiceTest, CallsOfASerialDriverQueue) {
  FakeBehavior behavior;
  behavior.capabilities.push_back(::driver::v1::CAPABILITY_SERIAL);
  const int most = MostAtOnce(
      behavior, [this](FakeBehavior b) { Serve(std::move(b)); },
      [this] {
        std::thread other([this] { Create(Machine("a", 1)); });
        Create(Machine("b", 1));
        other.join();
      });
  EXPECT_EQ(most, 1);
  EXPECT_EQ(driver_->InstancesForTest().size(), 2);
}

TEST_F(ServiceTest, OneMachineHasOneActionAtATime) {
  FakeBehavior behavior;
  const int most = MostAtOnce(
      behavior, [this](FakeBehavior b) { Serve(std::move(b)); },
      [this] {
        std::thread other([this] { Create(Machine("m", 1)); });
        Create(Machine("m", 1));
        other.join();
      });
  EXPECT_EQ(most, 1);
  EXPECT_EQ(driver_->InstancesForTest().size(), 1);
}

TEST_F(ServiceTest, DrainingStopsCallsAtASafePointAndRefusesNewOnes) {
  absl::Notification runs;
  FakeBehavior behavior;
  behavior.in_create = [&](DriverCall& call) {
    runs.Notify();
    return call.Sleep(absl::InfiniteDuration());
  };
  Serve(behavior);
  ActionOutcome outcome;
  std::thread call([&] { outcome = Create(Machine("m", 1)); });
  runs.WaitForNotification();
  EXPECT_TRUE(service_->Drain(absl::Seconds(30)));
  call.join();
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(outcome.status), machine::v1::ERROR_REASON_SHUTTING_DOWN);
  EXPECT_EQ(ReasonOf(Create(Machine("n", 1)).status), machine::v1::ERROR_REASON_SHUTTING_DOWN);
}

TEST_F(ServiceTest, ACallThatDoesNotObeyShowsInDrain) {
  absl::Notification runs;
  absl::Notification release;
  FakeBehavior behavior;
  behavior.in_create = [&](DriverCall&) {
    runs.Notify();
    release.WaitForNotification();
    return absl::OkStatus();
  };
  Serve(behavior);
  std::thread call([&] { Create(Machine("m", 1)); });
  runs.WaitForNotification();
  EXPECT_FALSE(service_->Drain(absl::Milliseconds(10)));
  release.Notify();
  call.join();
}

TEST_F(ServiceTest, ShutdownAsksTheProcessToEnd) {
  Serve({});
  EXPECT_TRUE(Client().Call(&Stub::Shutdown, {}).ok());
  shutdown_.WaitForNotification();
}

TEST_F(ServiceTest, OlderStatesAreUpgradedForTheDriver) {
  Serve({});
  ::driver::v1::UpgradeStateRequest request;
  *request.mutable_machine() = Machine("m", 1);
  request.mutable_machine()->mutable_state()->set_version(1);
  request.mutable_machine()->mutable_state()->set_data("old");
  const auto response = Client().Call(&Stub::UpgradeState, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->state().version(), 2);
  google::protobuf::StringValue state;
  ASSERT_TRUE(state.ParseFromString(response->state().data()));
  EXPECT_EQ(state.value(), "upgraded old");
}

TEST_F(ServiceTest, SecretsThatADriverLogsAreBlackened) {
  FakeBehavior behavior;
  behavior.logs_secret = true;
  Serve(behavior);
  CreateRequest request;
  *request.mutable_machine() = Machine("m", 1);
  DriverClient client = Client();
  EXPECT_TRUE(client.Act(&Stub::Create, request).status.ok());
  EXPECT_THAT(client.heard(), HasSubstr("[secret]"));
  EXPECT_THAT(client.heard(), Not(HasSubstr(kSecret)));
}

TEST_F(ServiceTest, CreateChecksItsOptionsAgain) {
  Serve({});
  MachineRef machine = Machine("m", 1);
  *machine.add_options() = Size("huge");
  const absl::Status status = Create(machine).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--fake-size"));
  EXPECT_TRUE(driver_->InstancesForTest().empty());
}

}  // namespace
}  // namespace machine::driver
