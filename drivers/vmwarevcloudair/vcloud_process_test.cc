// The driver's program: the contract, and what is left when it is killed, which is made with a
// public address of an edge gateway that NSX-V backs, or NSX-T.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_under_test.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/conformance/kill_tests.h"
#include "drivers/vmwarevcloudair/vcloud_fixture.h"

namespace machine::driver::vmwarevcloudair {
namespace {

using fakes::FakeVcloud;
using Gateway = FakeVcloud::Gateway;

class ProcessTest : public testing::TestWithParam<Gateway> {
 protected:
  ProcessTest() {
    fake_.BackGateway(GetParam());
    options_ = AccountOptions(fake_);
    options_.push_back(Option(kPublicIpFlag, kPublicIp));
  }

  conformance::DriverUnderTest Driver(const std::string& name) {
    return conformance::DriverUnderTest("vmwarevcloudair", testing::TempDir() + "/" + name,
                                        options_);
  }

  conformance::KillWorld World() {
    const auto ours = [this](absl::string_view uid) {
      std::vector<std::string> all = OursOn(fake_);
      std::erase_if(all,
                    [&](const std::string& name) { return !absl::StartsWith(name, UidTag(uid)); });
      return all;
    };
    return {
        .running =
            [this](absl::string_view uid) {
              const std::vector<std::string> running = fake_.RunningVapps();
              return static_cast<size_t>(std::count(running.begin(), running.end(), UidTag(uid)));
            },
        .left =
            [this, ours](absl::string_view uid) {
              std::vector<std::string> left = ours(uid);
              for (const std::string& name : fake_.VappNames()) {
                if (name == UidTag(uid)) left.push_back(name);
              }
              return left;
            }};
  }

  FakeVcloud fake_;
  std::vector<machine::v1::OptionValue> options_;
};

TEST_P(ProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  const auto driver =
      conformance::DriverProcess::Start("drivers/vmwarevcloudair/machine-driver-vmwarevcloudair");
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  // It makes several at once, which cannot share the ports of one address.
  options.options = AccountOptions(fake_);
  options.different_options = options.options;
  options.different_options.push_back(Option(kCpuFlag, 4));
  options.vanish = [this](absl::string_view uid) {
    fake_.Vanish(UidTag(uid));
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_THAT(fake_.VappNames(), testing::IsEmpty());
  EXPECT_THAT(OursOn(fake_), testing::IsEmpty());
}

TEST_P(ProcessTest, WhatAKillBetweenEventsLeavesIsMended) {
  conformance::DriverUnderTest driver = Driver("events");
  conformance::ExpectKillsBetweenEventsAreMended(driver, World(), 6);
}

TEST_P(ProcessTest, WhatAKillAroundAnEffectLeavesIsMended) {
  conformance::DriverUnderTest driver = Driver("effects");
  conformance::ExpectKillsAroundEffectsAreMended(driver, World());
}

TEST_P(ProcessTest, WhatAKillInAChangeOfPowerLeavesIsMended) {
  conformance::DriverUnderTest driver = Driver("power");
  conformance::ExpectKillsInPowerAreMended(driver, World());
}

INSTANTIATE_TEST_SUITE_P(Backed, ProcessTest, testing::Values(Gateway::kNsxV, Gateway::kNsxT),
                         [](const auto& info) {
                           return info.param == Gateway::kNsxV ? "ByNsxV" : "ByNsxT";
                         });

}  // namespace
}  // namespace machine::driver::vmwarevcloudair
