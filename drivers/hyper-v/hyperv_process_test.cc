// The driver as the process it is, with a fake PowerShell: the contract of all drivers, and what is
// left when it is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/conformance/kill_tests.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/hyperv/fake_hyperv_host.h"
#include "tests/fakes/killer/driver_killer.h"

namespace machine::driver::hyperv {
namespace {

using Json = nlohmann::ordered_json;

class HypervProcessTest : public testing::Test {
 protected:
  size_t Running(absl::string_view uid) const {
    size_t running = 0;
    const Json state = host_.State();
    for (const auto& [path, vm] : state["vms"].items()) {
      if (absl::StrContains(path, uid) && vm["state"] == "Running") ++running;
    }
    return running;
  }

  std::vector<std::string> Left(absl::string_view uid) const {
    std::vector<std::string> left;
    const Json state = host_.State();
    for (const char* const kind : {"vms", "files"}) {
      for (const auto& [path, entry] : state[kind].items()) {
        if (absl::StrContains(path, uid)) left.push_back(absl::StrCat(kind, ": ", path));
      }
    }
    return left;
  }

  const fakes::FakeHypervHost host_;
  const fakes::KillOrder order_{host_.Path("")};
  const machine::v1::OptionValue image_ = Option("hyper-v-image", host_.image());
  conformance::DriverUnderTest driver_{"hyper-v", host_.Path("data"), {image_}};
  const conformance::KillWorld world_ = {
      .running = [this](const std::string& uid) { return Running(uid); },
      .left = [this](const std::string& uid) { return Left(uid); }};
};

TEST_F(HypervProcessTest, KeepsTheContract) {
  driver_.Start();
  conformance::Options options;
  options.options = {image_};
  options.different_options = {image_, Option("hyper-v-memory", 512)};
  options.vanish = [this](absl::string_view uid) {
    host_.Change([&](Json& state) {
      Json others = Json::object();
      for (const auto& [path, vm] : state["vms"].items()) {
        if (!absl::StrContains(path, uid)) others[path] = vm;
      }
      state["vms"] = others;
    });
    return absl::OkStatus();
  };
  options.log = [this] { return driver_.process().Log(); };
  conformance::ExpectConformance(driver_.process().Channel(), options);
  EXPECT_THAT(host_.State()["vms"], testing::IsEmpty());
  EXPECT_THAT(host_.State()["files"], testing::SizeIs(1)) << "the image";
}

TEST_F(HypervProcessTest, ADriverKilledInACreateLeavesWhatTheNextOneFinishes) {
  conformance::ExpectKillsBetweenEventsAreMended(driver_, world_, 5);
}

TEST_F(HypervProcessTest, ADriverKilledAroundAnEffectLeavesOneMachineOrNone) {
  conformance::ExpectKillsAroundEffectsAreMended(driver_, world_);
}

TEST_F(HypervProcessTest, ADriverKilledAtAnyScriptLeavesOneMachineOrNone) {
  conformance::ExpectKillsAtToolCallsAreMended(driver_, world_, order_);
}

}  // namespace
}  // namespace machine::driver::hyperv
