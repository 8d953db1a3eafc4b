// The driver as the process it is, with a fake QEMU: the contract of all drivers, and what is left
// when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "drivers/sdk/conformance/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/conformance/kill_tests.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/qemu/fake_qemu_host.h"

namespace machine::driver::qemu {
namespace {

using ::testing::IsEmpty;

class QemuProcessTest : public testing::Test {
 protected:
  fakes::FakeQemuHost host_;
  const machine::v1::OptionValue image_ = Option("qemu-image", host_.image());
  conformance::DriverUnderTest driver_{"qemu", host_.Path("data"), {image_}};
  const conformance::KillWorld world_ = {
      .running = [this](const std::string& uid) { return host_.Running(uid).size(); },
      .left = [this](const std::string& uid) { return driver_.FoldersOf(uid); }};
};

TEST_F(QemuProcessTest, KeepsTheContract) {
  driver_.Start();
  conformance::Options options;
  options.options = {image_};
  options.different_options = {image_, Option("qemu-memory", 512)};
  options.vanish = [this](absl::string_view uid) {
    for (const pid_t pid : host_.Running(uid)) kill(pid, SIGKILL);
    std::filesystem::remove_all(driver_.MachineFolder(uid));
    return absl::OkStatus();
  };
  options.log = [this] { return driver_.process().Log(); };
  conformance::ExpectConformance(driver_.process().Channel(), options);
  for (const auto& [uuid, pid] : host_.Started()) EXPECT_THAT(host_.Running(uuid), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(driver_.MachineFolder("")));
}

TEST_F(QemuProcessTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  conformance::ExpectKillsBetweenEventsAreMended(driver_, world_, 6);
}

TEST_F(QemuProcessTest, ADriverKilledAroundAnEffectLeavesOneMachineOrNone) {
  conformance::ExpectKillsAroundEffectsAreMended(driver_, world_);
}

TEST_F(QemuProcessTest, ADriverKilledInAChangeOfPowerLeavesWhatTheNextOneFinishes) {
  conformance::ExpectKillsInPowerAreMended(driver_, world_);
}

TEST_F(QemuProcessTest, MachinesOutliveTheDriver) {
  const std::string uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b04";
  driver_.Start();
  ASSERT_TRUE(driver_.Create(uid, 1).ok());
  const std::vector<pid_t> before = host_.Running(uid);
  driver_.End();
  EXPECT_EQ(host_.Running(uid), before);
  driver_.Start();
  EXPECT_TRUE(driver_.Create(uid, 2).ok());
  EXPECT_EQ(host_.Running(uid), before);
  EXPECT_TRUE(driver_.Remove(uid, 3).ok());
}

}  // namespace
}  // namespace machine::driver::qemu
