// The driver as the process it is, with a fake VMware: the contract of all drivers, and what is
// left when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/conformance/kill_tests.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/killer/driver_killer.h"
#include "tests/fakes/vmware/fake_vmware_host.h"

namespace machine::driver::vmwarefusion {
namespace {

class FusionProcessTest : public testing::Test {
 protected:
  size_t Running(absl::string_view uid) const {
    const std::vector<std::string> running = host_.Lines("running");
    return static_cast<size_t>(
        std::count_if(running.begin(), running.end(),
                      [&](const std::string& path) { return absl::StrContains(path, uid); }));
  }

  const fakes::FakeVmwareHost host_;
  const fakes::KillOrder order_{host_.Path("")};
  const machine::v1::OptionValue image_ = Option("vmwarefusion-image", host_.image());
  conformance::DriverUnderTest driver_{"vmwarefusion", host_.Path("data"), {image_}};
  const conformance::KillWorld world_ = {
      .running = [this](const std::string& uid) { return Running(uid); },
      .left = [this](const std::string& uid) { return driver_.FoldersOf(uid); }};
};

TEST_F(FusionProcessTest, KeepsTheContract) {
  driver_.Start();
  conformance::Options options;
  options.options = {image_};
  options.different_options = {image_, Option("vmwarefusion-memory-size", 512)};
  options.vanish = [this](absl::string_view uid) {
    std::string others;
    for (const std::string& path : host_.Lines("running")) {
      if (!absl::StrContains(path, uid)) absl::StrAppend(&others, path, "\n");
    }
    std::ofstream(host_.Path("running")) << others;
    std::filesystem::remove_all(driver_.MachineFolder(uid));
    return absl::OkStatus();
  };
  options.log = [this] { return driver_.process().Log(); };
  conformance::ExpectConformance(driver_.process().Channel(), options);
  EXPECT_THAT(host_.Lines("running"), testing::IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(driver_.MachineFolder("")));
}

TEST_F(FusionProcessTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  conformance::ExpectKillsBetweenEventsAreMended(driver_, world_, 5);
}

TEST_F(FusionProcessTest, ADriverKilledAroundAnEffectLeavesOneMachineOrNone) {
  conformance::ExpectKillsAroundEffectsAreMended(driver_, world_);
}

TEST_F(FusionProcessTest, ADriverKilledAtAnyCallOfVmwaresToolsLeavesOneMachineOrNone) {
  conformance::ExpectKillsAtToolCallsAreMended(driver_, world_, order_);
}

}  // namespace
}  // namespace machine::driver::vmwarefusion
