// The driver as the process it is, with the real QEMU and a guest of a few instructions, which is
// up at once even under software emulation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/conformance/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/conformance/kill_tests.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "services/common/process/run.h"

namespace machine::driver::qemu {
namespace {

namespace fs = std::filesystem;

using ::testing::IsEmpty;

// Powers off when its power button is pressed, by the ports of ACPI as SeaBIOS places them on q35:
// PM1 status at 0x600, enable at 0x602, control at 0x604.
std::string GuestImage() {
  std::string image(
      "\xba\x02\x06\xb8\x00\x01\xef"  // Enables the power button's bit.
      "\xfb\xf4"                      // Waits for an interrupt: the clock's, 18 times a second.
      "\xba\x00\x06\xed\xf6\xc4\x01\x74\xf6"  // Again unless the bit is set.
      "\xba\x04\x06\xb8\x00\x20\xef"          // Power off.
      "\xf4\xeb\xfd",
      28);
  image.resize(510, '\0');
  image += "\x55\xaa";
  image.resize(1 << 20, '\0');
  return image;
}

class ConformanceE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* const program : {"qemu-system-x86_64", "qemu-img"}) {
      if (!common::FindProgram(program).ok()) {
        GTEST_SKIP() << program << " is not installed: run deploy/install-deps.sh --test";
      }
    }
    const std::string image = folder_ + "/guest.img";
    const absl::Status written =
        common::WriteFileAtomically(image, GuestImage(), 0600, {.fsync = false});
    ASSERT_TRUE(written.ok()) << written;
    driver_.Start();
  }

  ~ConformanceE2eTest() override {
    for (const pid_t pid : Running("")) kill(pid, SIGKILL);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  static std::string NewFolder() {
    char folder[] = "/tmp/qemuXXXXXX";
    EXPECT_NE(mkdtemp(folder), nullptr);
    return folder;
  }

  // The processes of QEMU with this test's folder and `uid` in their command line.
  std::vector<pid_t> Running(absl::string_view uid) const {
    const auto found = common::RunProgram(
        {"pgrep", "--full", absl::StrCat("qemu-system-x86_64 .*", folder_, "/.*", uid)});
    std::vector<pid_t> pids;
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) return pids;
    for (const absl::string_view line :
         absl::StrSplit(found->stdout_data, '\n', absl::SkipEmpty())) {
      EXPECT_TRUE(absl::SimpleAtoi(line, &pids.emplace_back()));
    }
    return pids;
  }

  std::vector<machine::v1::OptionValue> MachineOptions() const {
    return {Option("qemu-image", folder_ + "/guest.img"), Option("qemu-memory", 128),
            Option("qemu-disk-size", 256), Option("qemu-accelerator", "tcg")};
  }

  const std::string folder_ = NewFolder();
  conformance::DriverUnderTest driver_{"qemu", folder_ + "/data", MachineOptions()};
};

TEST_F(ConformanceE2eTest, KeepsTheContract) {
  conformance::Options options;
  options.options = MachineOptions();
  options.different_options = MachineOptions();
  options.different_options.push_back(Option("qemu-cpus", 1));
  options.vanish = [this](absl::string_view uid) {
    for (const pid_t pid : Running(uid)) kill(pid, SIGKILL);
    fs::remove_all(driver_.MachineFolder(uid));
    return absl::OkStatus();
  };
  options.log = [this] { return driver_.process().Log(); };
  conformance::ExpectConformance(driver_.process().Channel(), options);
  EXPECT_THAT(Running(""), IsEmpty());
  EXPECT_TRUE(fs::is_empty(driver_.MachineFolder("")));
}

TEST_F(ConformanceE2eTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  const conformance::KillWorld world = {
      .running = [this](const std::string& uid) { return Running(uid).size(); },
      .left = [this](const std::string& uid) { return driver_.FoldersOf(uid); }};
  conformance::ExpectKillsBetweenEventsAreMended(driver_, world, 5);
}

TEST_F(ConformanceE2eTest, ADriverKilledInAChangeOfPowerLeavesWhatTheNextOneFinishes) {
  const conformance::KillWorld world = {
      .running = [this](const std::string& uid) { return Running(uid).size(); },
      .left = [this](const std::string& uid) { return driver_.FoldersOf(uid); }};
  conformance::ExpectKillsInPowerAreMended(driver_, world);
  EXPECT_TRUE(fs::is_empty(driver_.MachineFolder("")));
}

}  // namespace
}  // namespace machine::driver::qemu
