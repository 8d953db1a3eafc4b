// The driver as the process it is, with a fake VBoxManage: the contract of all drivers, and what is
// left when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "drivers/sdk/conformance/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/conformance/kill_tests.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/killer/driver_killer.h"
#include "tests/fakes/virtualbox/fake_vbox_host.h"

namespace machine::driver::virtualbox {
namespace {

using Json = nlohmann::ordered_json;

class VirtualboxProcessTest : public testing::Test {
 protected:
  size_t Running(const std::string& uid) const {
    const Json state = host_.State();
    return state["vms"].contains(uid) && state["vms"][uid]["state"] == "running" ? 1 : 0;
  }

  // The machine, media that VirtualBox still knows, files.
  std::vector<std::string> Left(const std::string& uid) const {
    const Json state = host_.State();
    std::vector<std::string> left = driver_.FoldersOf(uid);
    if (state["vms"].contains(uid)) left.push_back("the machine");
    for (const auto& [path, known] : state["media"].items()) {
      if (path.find(uid) != std::string::npos) left.push_back(path);
    }
    return left;
  }

  const fakes::FakeVboxHost host_;
  const fakes::KillOrder order_{host_.Path("")};
  const machine::v1::OptionValue image_ = Option("virtualbox-image", host_.image());
  conformance::DriverUnderTest driver_{"virtualbox", host_.Path("data"), {image_}};
  const conformance::KillWorld world_ = {
      .running = [this](const std::string& uid) { return Running(uid); },
      .left = [this](const std::string& uid) { return Left(uid); }};
};

TEST_F(VirtualboxProcessTest, KeepsTheContract) {
  driver_.Start();
  conformance::Options options;
  options.options = {image_};
  options.different_options = {image_, Option("virtualbox-memory", 512)};
  options.vanish = [this](absl::string_view uid) {
    host_.Change([&](Json& state) { state["vms"].erase(std::string(uid)); });
    return absl::OkStatus();
  };
  options.log = [this] { return driver_.process().Log(); };
  conformance::ExpectConformance(driver_.process().Channel(), options);
  EXPECT_THAT(host_.State()["vms"], testing::IsEmpty());
}

TEST_F(VirtualboxProcessTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  conformance::ExpectKillsBetweenEventsAreMended(driver_, world_, 6);
}

TEST_F(VirtualboxProcessTest, ADriverKilledAroundAnEffectLeavesOneMachineOrNone) {
  conformance::ExpectKillsAroundEffectsAreMended(driver_, world_);
}

TEST_F(VirtualboxProcessTest, ADriverKilledAtAnyCallOfVBoxManageLeavesOneMachineOrNone) {
  conformance::ExpectKillsAtToolCallsAreMended(driver_, world_, order_);
}

}  // namespace
}  // namespace machine::driver::virtualbox
