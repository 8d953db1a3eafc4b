// The driver as the process it is, with a fake QEMU: the contract of all drivers, and what is left
// when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "drivers/qemu/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/qemu/fake_qemu_host.h"

namespace machine::driver::qemu {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class QemuProcessTest : public testing::Test {
 protected:
  fakes::FakeQemuHost host_;
  const machine::v1::OptionValue image_ = Option("qemu-image", host_.image());
  DriverUnderTest driver_{host_.Path("data"), {image_}};
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
  for (int events = 1; events <= 6; ++events) {
    SCOPED_TRACE(absl::StrCat("killed after event ", events));
    const std::string uid = absl::StrFormat("2d5f7ad8-3a2f-4f6e-9d51-0000000000%02d", events);
    driver_.Start();
    // It may have been done by the time the signal comes; that is right, too.
    driver_.Create(uid, 1, events).IgnoreError();
    driver_.Kill();  // Where it had fewer events; until it is waited for, its pid stays its own.
    driver_.Start();
    const absl::Status again = driver_.Create(uid, 2);
    EXPECT_TRUE(again.ok()) << again;
    EXPECT_THAT(host_.Running(uid), SizeIs(1));
    const absl::Status removed = driver_.Remove(uid, 3);
    EXPECT_TRUE(removed.ok()) << removed;
    EXPECT_THAT(host_.Running(uid), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(driver_.MachineFolder(uid)));
  }
}

TEST_F(QemuProcessTest, ADriverKilledAroundAnEffectLeavesOneMachineOrNone) {
  const std::string uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b03";
  for (const char* const point : {"before_effect", "after_effect", "after_commit"}) {
    SCOPED_TRACE(point);
    setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.Create.", point).c_str(), 1);
    driver_.Start();
    EXPECT_FALSE(driver_.Create(uid, 1).ok() && std::string(point) != "after_commit");
    setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.Remove.", point).c_str(), 1);
    driver_.Start();
    EXPECT_TRUE(driver_.Create(uid, 2).ok());
    EXPECT_THAT(host_.Running(uid), SizeIs(1));
    driver_.Remove(uid, 3).IgnoreError();  // Its end is the point of it.
    unsetenv("MACHINE_FAILPOINTS");
    driver_.Start();
    EXPECT_TRUE(driver_.Remove(uid, 4).ok());
    EXPECT_THAT(host_.Running(uid), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(driver_.MachineFolder(uid)));
  }
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
