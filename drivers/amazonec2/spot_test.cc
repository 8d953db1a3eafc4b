// A spot instance from its request to its end, or until AWS takes it back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "drivers/amazonec2/amazonec2_driver.h"
#include "drivers/amazonec2/settings.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::driver::amazonec2 {
namespace {

using fakes::FakeAmazonEc2;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast, .retry = fast, .settling = {.looks = 6, .backoff = fast}};
}

class SpotTest : public testing::Test {
 protected:
  SpotTest()
      : driver_(FastTiming(), [](const char*) -> std::optional<std::string> { return "/none"; }) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
    machine_.uid = kUid;
    machine_.name = "dev";
    machine_.ssh_public_key = std::string(kTestKey);
    const auto options =
        MakeOptions(driver_, {SecretOption(kAccessKeyFlag, FakeAmazonEc2::kAccessKey),
                              SecretOption(kSecretKeyFlag, FakeAmazonEc2::kSecretKey),
                              Option("amazonec2-endpoint", fake_.url()),
                              BoolOption("amazonec2-request-spot-instance", true)});
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine_.options = *options;
  }

  std::unique_ptr<DriverCall> Call() { return MakeCall(kUid, record_); }

  void Create() {
    const auto made = driver_.Create(*Call(), machine_);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
    machine_.state = record_.checkpoints.back();
  }

  MachineState Inspect() {
    const auto seen = driver_.Inspect(*Call(), machine_);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  void ExpectNothingAfterRemove() {
    const absl::Status removed = driver_.Remove(*Call(), machine_);
    EXPECT_TRUE(removed.ok()) << removed;
    EXPECT_THAT(fake_.InstanceIds(), IsEmpty());
    EXPECT_THAT(fake_.OpenSpotRequests(), IsEmpty());
    EXPECT_THAT(fake_.KeyNames(), IsEmpty());
    EXPECT_THAT(fake_.GroupNames(), IsEmpty());
  }

  FakeAmazonEc2 fake_;
  CallRecord record_;
  AmazonEc2Driver driver_;
  MachineSpec machine_;
};

TEST_F(SpotTest, LivesUntilItIsRemoved) {
  Create();
  EXPECT_THAT(fake_.OpenSpotRequests(), SizeIs(1));
  EXPECT_EQ(fake_.LastRun().find("InstanceMarketOptions.SpotOptions.SpotInstanceType")->second,
            "one-time");
  EXPECT_EQ(Inspect(), machine::v1::MACHINE_STATE_RUNNING);
  const auto batch = driver_.BatchInspect(*MakeCall("", record_), {&machine_, 1});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->front().state(), machine::v1::MACHINE_STATE_RUNNING);
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT(*listed, SizeIs(1));
  EXPECT_TRUE(driver_.Restart(*Call(), machine_).ok());
  for (const absl::Status& refused : {driver_.Stop(*Call(), machine_, std::nullopt).status(),
                                      driver_.Kill(*Call(), machine_).status()}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("spot instance cannot be stopped"));
  }
  EXPECT_EQ(Inspect(), machine::v1::MACHINE_STATE_RUNNING);
  ExpectNothingAfterRemove();
}

TEST_F(SpotTest, OneThatWasTakenBackSaysSo) {
  Create();
  fake_.Interrupt(kUid);
  EXPECT_EQ(Inspect(), machine::v1::MACHINE_STATE_NOT_FOUND);
  const absl::Status status = driver_.Start(*Call(), machine_).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_INSTANCE_GONE) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("taken back the spot instance"));
  ExpectNothingAfterRemove();
}

TEST_F(SpotTest, OneThatAUserEndedSaysNothingOfThat) {
  Create();
  fake_.Terminate(kUid);
  const absl::Status status = driver_.Start(*Call(), machine_).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_INSTANCE_GONE) << status;
  EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("taken back")));
  ExpectNothingAfterRemove();
}

TEST_F(SpotTest, ACreateThatLostItsAnswerAsksOnce) {
  fake_.Order({.kind = fakes::Fault::Kind::kLoseReply, .route = "POST / RunInstances"});
  auto made = driver_.Create(*Call(), machine_);
  if (!record_.checkpoints.empty()) machine_.state = record_.checkpoints.back();
  if (!made.ok()) made = driver_.Create(*Call(), machine_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(fake_.InstanceIds(), SizeIs(1));
  EXPECT_THAT(fake_.OpenSpotRequests(), SizeIs(1));
  ExpectNothingAfterRemove();
}

}  // namespace
}  // namespace machine::driver::amazonec2
