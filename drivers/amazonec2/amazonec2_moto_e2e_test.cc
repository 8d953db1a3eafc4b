// The driver against moto, which verifies every signature, behind botocore's model of EC2, which
// refuses every parameter that is unknown or mistyped: a second opinion on what is sent, and on
// what the answers mean.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/amazonec2/amazonec2_driver.h"
#include "drivers/amazonec2/settings.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/moto/moto.h"

namespace machine::driver::amazonec2 {
namespace {

using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

class MotoE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto python = fakes::Moto::Python();
    if (!python.has_value()) GTEST_SKIP() << "MACHINE_MOTO_PYTHON names no program";
    auto moto = fakes::Moto::Start(*python, "tests/fakes/moto/serve.py");
    ASSERT_TRUE(moto.ok()) << moto.status();
    moto_ = *std::move(moto);
    api_ = std::make_unique<Ec2Api>(http_,
                                    AccountSettings{.region = "us-east-1",
                                                    .endpoint = moto_->url(),
                                                    .access_key = moto_->access_key(),
                                                    .secret_key = moto_->secret_key()},
                                    Backoff());
    ASSERT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  std::vector<OptionValue> AccountOptions() {
    return {SecretOption(kAccessKeyFlag, moto_->access_key()),
            SecretOption(kSecretKeyFlag, moto_->secret_key()),
            Option("amazonec2-endpoint", moto_->url())};
  }

  MachineSpec Machine(std::vector<OptionValue> more) {
    std::vector<OptionValue> values = AccountOptions();
    values.insert(values.end(), more.begin(), more.end());
    MachineSpec machine;
    machine.uid = kUid;
    machine.name = "dev";
    // moto reads it, unlike the fake.
    machine.ssh_public_key = conformance::Options().ssh_public_key;
    const auto options = MakeOptions(driver_, values);
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  std::unique_ptr<DriverCall> Call() { return MakeCall(kUid, record_); }

  // Instances, key pairs, groups, spot requests and volumes of the machine.
  std::vector<std::string> WhatThereIs() {
    std::vector<std::string> all;
    const Filter uid = TagIs(kUidKey, kUid);
    const auto instances = api_->ListInstances(*call_, {uid, NotTerminated()});
    EXPECT_TRUE(instances.ok()) << instances.status();
    if (instances.ok()) {
      for (const Instance& instance : *instances) all.push_back("instance " + instance.state);
    }
    const auto add = [&](absl::string_view what,
                         const absl::StatusOr<std::vector<std::string>>& ids) {
      EXPECT_TRUE(ids.ok()) << ids.status();
      if (ids.ok()) all.insert(all.end(), ids->size(), std::string(what));
    };
    add("key", api_->ListKeyPairs(*call_, {uid}));
    add("spot", api_->ListSpotRequests(*call_, {uid, {"state", {"open", "active"}}}));
    add("volume", api_->ListVolumes(*call_, {uid}));
    const auto groups = api_->ListGroups(*call_, {uid});
    EXPECT_TRUE(groups.ok()) << groups.status();
    if (groups.ok()) all.insert(all.end(), groups->size(), "group");
    return all;
  }

  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  common::HttpClient http_;
  std::unique_ptr<fakes::Moto> moto_;
  std::unique_ptr<Ec2Api> api_;
  AmazonEc2Driver driver_;
};

TEST_F(MotoE2eTest, KeepsTheContractAndLeavesNothingBehind) {
  const auto driver =
      conformance::DriverProcess::Start("drivers/amazonec2/machine-driver-amazonec2");
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = AccountOptions();
  options.different_options = options.options;
  options.different_options.push_back(Option(kTypeFlag, "t3.micro"));
  options.vanish = [this](absl::string_view uid) {
    const auto found = api_->ListInstances(*call_, {TagIs(kUidKey, uid), NotTerminated()});
    if (!found.ok()) return found.status();
    for (const Instance& instance : *found) {
      DM_RETURN_IF_ERROR(api_->TerminateInstance(*call_, instance.id));
    }
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  const auto left =
      api_->ListInstances(*call_, {{"tag-key", {std::string(kMachineTag)}}, NotTerminated()});
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_THAT(*left, IsEmpty());
  EXPECT_THAT(*api_->ListKeyPairs(*call_, {}), IsEmpty());
}

TEST_F(MotoE2eTest, LivesAWholeLife) {
  MachineSpec machine = Machine(
      {Option("amazonec2-tags", "env,test"), Option("amazonec2-userdata-text", "#cloud-config\n"),
       Option(kOpenCidrFlag, std::vector<std::string>{"203.0.113.0/24", "2001:db8::/32"}),
       BoolOption("amazonec2-monitoring", true), Option("amazonec2-root-size", 20),
       BoolOption("amazonec2-use-ebs-optimized-instance", true)});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  const auto made = driver_.Create(*Call(), machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_FALSE(made->endpoint().docker_url().empty());
  machine.state = made->driver_state().data();
  EXPECT_THAT(WhatThereIs(), ElementsAre("instance running", "key", "volume", "group"));
  const auto again = driver_.Create(*Call(), machine);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->instance_id(), made->instance_id());
  const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
  const auto started = driver_.Start(*Call(), machine);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_THAT(WhatThereIs(), IsEmpty());
}

TEST_F(MotoE2eTest, ASpotInstanceLivesAndLeavesNoRequest) {
  MachineSpec machine = Machine(
      {BoolOption("amazonec2-request-spot-instance", true), Option("amazonec2-spot-price", "0.03"),
       Option("amazonec2-zone", "b"), BoolOption("amazonec2-private-address-only", true)});
  const auto made = driver_.Create(*Call(), machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const auto seen = driver_.Inspect(*Call(), machine);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->instance_id(), made->instance_id());
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_THAT(WhatThereIs(), IsEmpty());
}

TEST_F(MotoE2eTest, AWrongSecretIsRefused) {
  const Ec2Api wrong(http_,
                     {.region = "us-east-1",
                      .endpoint = moto_->url(),
                      .access_key = moto_->access_key(),
                      .secret_key = "wrong"},
                     Backoff());
  const absl::Status status = wrong.ListVpcs(*call_, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
}

TEST_F(MotoE2eTest, AMistypedParameterIsRefused) {
  const auto types = api_->FindType(*call_, "t2.mikro");
  EXPECT_EQ(AwsCodeOf(types.status()), "DoesNotFitTheModel") << types.status();
}

TEST_F(MotoE2eTest, TheCheckSaysWhatExists) {
  const absl::Status region =
      driver_.PreCreateCheck(*Call(), Machine({Option(kRegionFlag, "mars-1")}));
  EXPECT_EQ(common::ReasonOf(region), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << region;
  const absl::Status image =
      driver_.PreCreateCheck(*Call(), Machine({Option(kAmiFlag, "ami-0123456789abcdef0")}));
  EXPECT_EQ(common::ReasonOf(image), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << image;
}

}  // namespace
}  // namespace machine::driver::amazonec2
