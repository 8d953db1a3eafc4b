// The driver as the process it is, with a fake QEMU: the contract of all drivers, and what is left
// when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "driver/v1/driver.grpc.pb.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/qemu/fake_qemu_host.h"

namespace machine::driver::qemu {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kProgram[] = "drivers/qemu/machine-driver-qemu";

class QemuProcessTest : public testing::Test {
 protected:
  // The folder outlives the process, as the orchestrator's does.
  void StartDriver() {
    auto driver = conformance::DriverProcess::Start(kProgram, host_.Path("data"));
    ASSERT_TRUE(driver.ok()) << driver.status();
    driver_ = *std::move(driver);
  }
  void KillDriver() { ASSERT_EQ(kill(static_cast<pid_t>(driver_->result().pid()), SIGKILL), 0); }

  std::string MachineFolder(absl::string_view uid) const {
    return host_.Path(absl::StrCat("data/qemu/machines/", uid));
  }

  ::driver::v1::MachineRef Ref(const std::string& uid, int attempt) const {
    ::driver::v1::MachineRef machine;
    machine.mutable_context()->set_machine_uid(uid);
    machine.mutable_context()->set_machine_name("killed");
    machine.mutable_context()->set_attempt(attempt);
    machine.mutable_context()->set_fencing_token(attempt);
    machine.mutable_context()->set_orchestrator_id(std::string(kTestOrchestrator));
    machine.set_ssh_public_key(std::string(kTestKey));
    *machine.add_options() = Option("qemu-image", host_.image());
    return machine;
  }

  // Sends a request and reads its events; kills the driver after `kill_after` of them.
  template <typename Request, typename Method>
  grpc::Status Act(Method method, const ::driver::v1::MachineRef& machine,
                   std::optional<int> kill_after = std::nullopt) {
    Request request;
    *request.mutable_machine() = machine;
    grpc::ClientContext context;
    const common::Channel channel = driver_->Channel();
    channel.Prepare(context, absl::Minutes(2));
    const auto stub = ::driver::v1::Driver::NewStub(channel.grpc());
    const auto reader = ((*stub).*method)(&context, request);
    ::driver::v1::ActionEvent event;
    for (int events = 1; reader->Read(&event); ++events) {
      if (kill_after == events) KillDriver();
    }
    return reader->Finish();
  }

  grpc::Status Create(const ::driver::v1::MachineRef& machine,
                      std::optional<int> kill_after = std::nullopt) {
    return Act<::driver::v1::CreateRequest>(&::driver::v1::Driver::Stub::Create, machine,
                                            kill_after);
  }
  grpc::Status Remove(const ::driver::v1::MachineRef& machine,
                      std::optional<int> kill_after = std::nullopt) {
    return Act<::driver::v1::RemoveRequest>(&::driver::v1::Driver::Stub::Remove, machine,
                                            kill_after);
  }

  fakes::FakeQemuHost host_;
  std::unique_ptr<conformance::DriverProcess> driver_;
};

TEST_F(QemuProcessTest, KeepsTheContract) {
  StartDriver();
  const machine::v1::OptionValue image = Option("qemu-image", host_.image());
  conformance::Options options;
  options.options = {image};
  options.different_options = {image, Option("qemu-memory", 512)};
  options.vanish = [this](absl::string_view uid) {
    for (const pid_t pid : host_.Running(uid)) kill(pid, SIGKILL);
    std::filesystem::remove_all(MachineFolder(uid));
    return absl::OkStatus();
  };
  options.log = [this] { return driver_->Log(); };
  conformance::ExpectConformance(driver_->Channel(), options);
  for (const auto& [uuid, pid] : host_.Started()) EXPECT_THAT(host_.Running(uuid), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(host_.Path("data/qemu/machines")));
}

TEST_F(QemuProcessTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  for (int events = 1; events <= 6; ++events) {
    SCOPED_TRACE(absl::StrCat("killed after event ", events));
    const std::string uid = absl::StrFormat("2d5f7ad8-3a2f-4f6e-9d51-0000000000%02d", events);
    StartDriver();
    // It may have been done by the time the signal comes; that is right, too.
    static_cast<void>(Create(Ref(uid, 1), events));
    KillDriver();  // Where it had fewer events; until it is waited for, its pid stays its own.
    StartDriver();
    const grpc::Status again = Create(Ref(uid, 2));
    EXPECT_TRUE(again.ok()) << again.error_message();
    EXPECT_THAT(host_.Running(uid), SizeIs(1));
    const grpc::Status removed = Remove(Ref(uid, 3));
    EXPECT_TRUE(removed.ok()) << removed.error_message();
    EXPECT_THAT(host_.Running(uid), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(MachineFolder(uid)));
  }
}

TEST_F(QemuProcessTest, ADriverKilledAroundAnEffectLeavesOneMachineOrNone) {
  const std::string uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b03";
  for (const char* const point : {"before_effect", "after_effect", "after_commit"}) {
    SCOPED_TRACE(point);
    setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.Create.", point).c_str(), 1);
    StartDriver();
    EXPECT_FALSE(Create(Ref(uid, 1)).ok() && std::string(point) != "after_commit");
    setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.Remove.", point).c_str(), 1);
    StartDriver();
    EXPECT_TRUE(Create(Ref(uid, 2)).ok());
    EXPECT_THAT(host_.Running(uid), SizeIs(1));
    static_cast<void>(Remove(Ref(uid, 3)));
    unsetenv("MACHINE_FAILPOINTS");
    StartDriver();
    EXPECT_TRUE(Remove(Ref(uid, 4)).ok());
    EXPECT_THAT(host_.Running(uid), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(MachineFolder(uid)));
  }
}

TEST_F(QemuProcessTest, MachinesOutliveTheDriver) {
  const std::string uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b04";
  StartDriver();
  ASSERT_TRUE(Create(Ref(uid, 1)).ok());
  const std::vector<pid_t> before = host_.Running(uid);
  ASSERT_TRUE(driver_->EndLifeline().ok());
  EXPECT_EQ(host_.Running(uid), before);
  StartDriver();
  EXPECT_TRUE(Create(Ref(uid, 2)).ok());
  EXPECT_EQ(host_.Running(uid), before);
  EXPECT_TRUE(Remove(Ref(uid, 3)).ok());
}

}  // namespace
}  // namespace machine::driver::qemu
