#include "drivers/amazonec2/amazonec2_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/amazonec2/settings.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::driver::amazonec2 {
namespace {

using fakes::FakeAmazonEc2;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kRun[] = "POST / RunInstances";
constexpr char kList[] = "POST / DescribeInstances";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class AmazonEc2DriverTest : public testing::Test {
 protected:
  AmazonEc2DriverTest()
      : driver_(FastTiming(), [](const char*) -> std::optional<std::string> { return "/none"; }) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(std::vector<OptionValue> more = {}, absl::string_view uid = kUid) {
    std::vector<OptionValue> values = {SecretOption(kAccessKeyFlag, FakeAmazonEc2::kAccessKey),
                                       SecretOption(kSecretKeyFlag, FakeAmazonEc2::kSecretKey),
                                       Option("amazonec2-endpoint", fake_.url())};
    values.insert(values.end(), more.begin(), more.end());
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = "dev.One";
    machine.ssh_public_key = std::string(kTestKey);
    const absl::StatusOr<Options> options = MakeOptions(driver_, values);
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return MakeCall(kUid, record_, timeout);
  }

  // Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  absl::Status PreCreateCheck(std::vector<OptionValue> options) {
    return driver_.PreCreateCheck(*Call(), Machine(std::move(options)));
  }

  MachineState Inspect(const MachineSpec& machine) {
    const auto seen = driver_.Inspect(*Call(), machine);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  // Of the last RunInstances.
  std::string Asked(const std::string& parameter) {
    const fakes::Form run = fake_.LastRun();
    const auto it = run.find(parameter);
    return it == run.end() ? "" : it->second;
  }

  void ExpectNothingLeft() {
    EXPECT_THAT(fake_.InstanceIds(), IsEmpty());
    EXPECT_THAT(fake_.KeyNames(), IsEmpty());
    EXPECT_THAT(fake_.GroupNames(), IsEmpty());
    EXPECT_THAT(fake_.OpenSpotRequests(), IsEmpty());
    EXPECT_THAT(fake_.Volumes(), IsEmpty());
  }

  FakeAmazonEc2 fake_;
  CallRecord record_;
  AmazonEc2Driver driver_;
};

TEST_F(AmazonEc2DriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(Asked("ClientToken"), kUid);
  EXPECT_EQ(Asked("ImageId"), "ami-0ubuntu2");
  EXPECT_EQ(Asked("InstanceType"), "t2.micro");
  EXPECT_EQ(Asked("NetworkInterface.1.SubnetId"), "subnet-a");
  EXPECT_EQ(Asked("MetadataOptions.HttpTokens"), "required");
  EXPECT_EQ(Asked("BlockDeviceMapping.1.DeviceName"), "/dev/sda1");
  EXPECT_EQ(Asked("BlockDeviceMapping.1.Ebs.VolumeSize"), "16");
  EXPECT_EQ(Asked("BlockDeviceMapping.1.Ebs.VolumeType"), "gp3");
  EXPECT_EQ(Asked("BlockDeviceMapping.1.Ebs.DeleteOnTermination"), "true");
  EXPECT_EQ(Asked("InstanceMarketOptions.MarketType"), "");
  for (const int i : {1, 2, 3}) {
    const std::string tag = absl::StrCat("TagSpecification.", i, ".Tag.");
    EXPECT_EQ(Asked(tag + "1.Value"), "dev.One");
    EXPECT_EQ(Asked(tag + "2.Key"), "docker-machine");
    EXPECT_EQ(Asked(tag + "3.Value"), kUid);
    EXPECT_EQ(Asked(tag + "4.Value"), kTestOrchestrator);
  }
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ip_addresses(0).substr(0, 7), "198.51.");
  EXPECT_EQ(endpoint.ssh_host(), endpoint.ip_addresses(0));
  EXPECT_EQ(endpoint.ssh_user(), "ubuntu");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_THAT(fake_.KeyNames(), ElementsAre(UidTag(kUid)));
  EXPECT_THAT(
      fake_.RulesOf(UidTag(kUid)),
      UnorderedElementsAre("22 from 0.0.0.0/0", "2376 from 0.0.0.0/0", "3376 from 0.0.0.0/0"));
  fake_.AddVolume(kUid);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

// What the original docker-machine wrote of a machine: its instance has no tag of ours.
TEST_F(AmazonEc2DriverTest, AnImportedInstanceIsKnownByItsIdAlone) {
  MachineSpec made = Machine({}, "99999999-d9cb-469f-a165-70867728950e");
  const auto instance = driver_.Create(*Call(), made);
  ASSERT_TRUE(instance.ok()) << instance.status();
  const std::string key(fake_.KeyNames().front());
  MachineSpec machine = Machine();
  machine.state = absl::StrCat(R"({"InstanceId": ")", instance->instance_id(), R"(", "KeyName": ")",
                               key, R"(", "SecretKey": "secret"})");
  machine.state_version = kImportedStateVersion;
  const auto state = driver_.UpgradeState(*Call(), machine);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_THAT(*state, testing::Not(HasSubstr("secret")));
  machine.state = *state;
  const auto batch = driver_.BatchInspect(*Call(), {machine});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->front().instance_id(), instance->instance_id());
  EXPECT_EQ(batch->front().state(), machine::v1::MACHINE_STATE_RUNNING);
  const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.InstanceIds(), IsEmpty());
  EXPECT_THAT(fake_.KeyNames(), IsEmpty()) << "the original made it";
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok()) << "nothing is left to do";
  const auto gone = driver_.Inspect(*Call(), machine);
  ASSERT_TRUE(gone.ok()) << gone.status();
  EXPECT_EQ(gone->state(), machine::v1::MACHINE_STATE_NOT_FOUND);
}

TEST_F(AmazonEc2DriverTest, AnImportedMachineWithoutAnInstanceSaysSo) {
  MachineSpec machine = Machine();
  machine.state_version = kImportedStateVersion;
  for (const char* const fields : {"", "[]", R"({"InstanceId": 7})", R"({"InstanceId": ""})"}) {
    machine.state = fields;
    EXPECT_EQ(driver_.UpgradeState(*Call(), machine).status().code(),
              absl::StatusCode::kFailedPrecondition)
        << fields;
  }
}

TEST_F(AmazonEc2DriverTest, CreatesWithEveryOption) {
  fake_.AddKey("mine");
  fake_.AddGroup("web");
  fake_.AddGroup("db");
  MachineSpec machine = Machine(
      {Option(kAmiFlag, "ami-0custom"),
       Option(kTypeFlag, "m5.large"),
       Option(kZoneFlag, "b"),
       Option(kVpcFlag, "vpc-default"),
       Option(kGroupFlag, std::vector<std::string>{"web", "db"}),
       Option(kOpenCidrFlag, std::vector<std::string>{"203.0.113.0/24", "2001:db8::/32"}),
       Option("amazonec2-root-size", 40),
       Option("amazonec2-volume-type", "gp2"),
       Option("amazonec2-iam-instance-profile", "arn:aws:iam::123456789012:instance-profile/x"),
       BoolOption("amazonec2-request-spot-instance", true),
       Option("amazonec2-spot-price", "0.05"),
       BoolOption("amazonec2-private-address-only", true),
       BoolOption("amazonec2-monitoring", true),
       BoolOption("amazonec2-use-ebs-optimized-instance", true),
       Option("amazonec2-metadata-token", "optional"),
       Option("amazonec2-tags", "env,prod,Name,mine"),
       Option("amazonec2-userdata-text", "#cloud-config\n"),
       Option(kKeyPairFlag, "mine"),
       Option("amazonec2-ssh-user", "admin"),
       Option("amazonec2-device-name", "/dev/xvdz")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Asked("ImageId"), "ami-0custom");
  EXPECT_EQ(Asked("NetworkInterface.1.SubnetId"), "subnet-b");
  EXPECT_EQ(Asked("NetworkInterface.1.AssociatePublicIpAddress"), "false");
  EXPECT_NE(Asked("NetworkInterface.1.SecurityGroupId.2"), "");
  EXPECT_EQ(Asked("BlockDeviceMapping.1.DeviceName"), "/dev/xvdz");
  EXPECT_EQ(Asked("BlockDeviceMapping.1.Ebs.VolumeSize"), "40");
  EXPECT_EQ(Asked("IamInstanceProfile.Arn"), "arn:aws:iam::123456789012:instance-profile/x");
  EXPECT_EQ(Asked("InstanceMarketOptions.SpotOptions.MaxPrice"), "0.05");
  EXPECT_EQ(Asked("TagSpecification.4.ResourceType"), "spot-instances-request");
  EXPECT_EQ(Asked("Monitoring.Enabled"), "true");
  EXPECT_EQ(Asked("EbsOptimized"), "true");
  EXPECT_EQ(Asked("MetadataOptions.HttpTokens"), "optional");
  EXPECT_EQ(Asked("TagSpecification.1.Tag.1.Value"), "mine");
  EXPECT_EQ(Asked("TagSpecification.1.Tag.5.Value"), "prod");
  EXPECT_EQ(Asked("UserData"), absl::Base64Escape("#cloud-config\n"));
  EXPECT_EQ(Asked("KeyName"), "mine");
  EXPECT_EQ(made->endpoint().ip_addresses(0).substr(0, 5), "10.0.");
  EXPECT_THAT(fake_.RulesOf("web"), SizeIs(6));
  EXPECT_THAT(fake_.RulesOf("db"), testing::Contains("2376 from 2001:db8::/32"));
  EXPECT_THAT(fake_.OpenSpotRequests(), SizeIs(1));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.OpenSpotRequests(), IsEmpty());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
  EXPECT_THAT(fake_.GroupNames(), UnorderedElementsAre("web", "db"));
}

TEST_F(AmazonEc2DriverTest, GroupsThatAreReadOnlyStayAsTheyAre) {
  fake_.AddGroup("web");
  MachineSpec machine = Machine({Option(kGroupFlag, std::vector<std::string>{"web"}),
                                 BoolOption("amazonec2-security-group-readonly", true)});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_THAT(fake_.RulesOf("web"), IsEmpty());
}

TEST_F(AmazonEc2DriverTest, APrivateAddressIsUsedWhereAskedFor) {
  MachineSpec machine = Machine({BoolOption("amazonec2-use-private-address", true)});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->endpoint().ssh_host().substr(0, 5), "10.0.");
  EXPECT_EQ(made->endpoint().ip_addresses_size(), 2);
}

TEST_F(AmazonEc2DriverTest, ARegionWithoutTheOldTypeGetsTheNewer) {
  fake_.WithdrawType("t2.micro");
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(Asked("InstanceType"), "t3.micro");
}

TEST_F(AmazonEc2DriverTest, WithoutSsmTheNewestImageOfCanonicalIsListed) {
  fake_.ForbidSsm();
  MachineSpec machine = Machine({Option(kTypeFlag, "t4g.micro")});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(Asked("ImageId"), "ami-0arm");
  MachineSpec other = Machine({}, "other");
  other.state.reset();
  ASSERT_TRUE(driver_.Create(*MakeCall("other", record_), other).ok());
  EXPECT_EQ(Asked("ImageId"), "ami-0ubuntu2");
}

// Whatever goes wrong on the way, a create that is tried again ends with one instance, and a remove
// with none.
struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public AmazonEc2DriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneInstanceAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine();
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.InstanceIds().size(), 1u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledCreate", {.kind = Fault::Kind::kThrottle, .route = kRun}},
        {"ThrottledEverywhere", {.kind = Fault::Kind::kThrottle, .times = 3}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = kRun}},
        {"Create503ForLong",
         {.kind = Fault::Kind::kStatus, .route = kRun, .times = 7, .status = 503}},
        {"Create500ButMade", {.kind = Fault::Kind::kStatusAfterEffect, .route = kRun}},
        {"Create500ButMadeAndUnseen",
         {.kind = Fault::Kind::kStatusAfterEffect, .route = kRun, .times = 6},
         4},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = kRun}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = kRun, .times = 6}, 4},
        {"GarbageCreate", {.kind = Fault::Kind::kGarbage, .route = kRun}},
        {"UnseenForAWhile", {.kind = Fault::Kind::kGarbage, .route = "POST / DescribeImages"}, 5},
        {"GarbageList", {.kind = Fault::Kind::kGarbage, .route = kList}},
        {"List500", {.kind = Fault::Kind::kStatus, .route = kList, .times = 7}},
        {"LostKeyReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST / ImportKeyPair", .times = 5},
         3},
        {"LostGroupReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST / CreateSecurityGroup"},
         3},
        {"LostRuleReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST / AuthorizeSecurityGroupIngress"}},
        {"Ssm500", {.kind = Fault::Kind::kStatus, .route = "POST / AmazonSSM.GetParameter"}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(AmazonEc2DriverTest, ACreateKilledAfterItsRequestIsAdopted) {
  MachineSpec machine = Machine();
  // The process dies: the call ends in the middle of what follows, and the list lags.
  fake_.SetLag(3);
  fake_.Order({.kind = Fault::Kind::kHold, .route = kList, .after = 1});
  auto cancellation = std::make_shared<common::Cancellation>();
  std::thread killer([&] {
    while (fake_.CountOf(kList) < 2) std::this_thread::yield();
    cancellation->Cancel();
  });
  const auto call = MakeCall(kUid, record_, absl::Minutes(2), cancellation);
  EXPECT_TRUE(absl::IsCancelled(driver_.Create(*call, machine).status()));
  killer.join();
  fake_.Release();
  // Only the first checkpoint was stored.
  machine.state = record_.checkpoints.front();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.InstanceIds().size(), 1u);
}

TEST_F(AmazonEc2DriverTest, AnInstanceThatEndsBeforeItRunsIsToldAndMadeAnew) {
  fake_.FailNextLaunch();
  MachineSpec machine = Machine();
  const absl::Status failed = Create(machine).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("Client.VolumeLimitExceeded"));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Asked("ClientToken"), absl::StrCat(kUid, "-1"));
}

TEST_F(AmazonEc2DriverTest, AfterSomebodyEndedTheInstanceACreateMakesAnother) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.Terminate(kUid);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.InstanceIds().size(), 1u);
}

TEST_F(AmazonEc2DriverTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  for (const Fault::Kind kind : {Fault::Kind::kLoseReply, Fault::Kind::kStatus,
                                 Fault::Kind::kStatusAfterEffect, Fault::Kind::kThrottle}) {
    fake_.Order({.kind = kind, .route = "POST / StopInstances"});
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
    EXPECT_EQ(stopped->endpoint().docker_url(), "");
    fake_.Order({.kind = kind, .route = "POST / StartInstances"});
    const auto started = driver_.Start(*Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
  }
}

TEST_F(AmazonEc2DriverTest, AGuestThatDoesNotShutDownIsNotKilled) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.IgnoreShutdown(true);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_THAT(std::string(stopped.status().message()), HasSubstr("kill it"));
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPING);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(fake_.CountOf("POST / RebootInstances"), 1);
}

TEST_F(AmazonEc2DriverTest, ASpotInstanceCannotBeStopped) {
  MachineSpec machine = Machine({BoolOption("amazonec2-request-spot-instance", true)});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(Asked("InstanceMarketOptions.SpotOptions.MaxPrice"), "0.50");
  const absl::Status status = driver_.Stop(*Call(), machine, std::nullopt).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("spot instance"));
}

TEST_F(AmazonEc2DriverTest, TheLimitOfTheAccountIsAQuota) {
  fake_.SetQuota(0);
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(AmazonEc2DriverTest, AWrongKeyIsNamedAndNotShown) {
  MachineSpec machine = Machine({SecretOption(kAccessKeyFlag, "AKIAWRONG")});
  const absl::Status status = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--amazonec2-access-key"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("AKIAWRONG")));
}

TEST_F(AmazonEc2DriverTest, AProviderThatIsDownFailsTheCheck) {
  for (const char* const route : {"POST / DescribeRegions", "POST / DescribeSubnets"}) {
    fake_.Order({.kind = Fault::Kind::kStatus, .route = route, .times = 5, .status = 503});
    const absl::Status status = PreCreateCheck({});
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  }
}

struct StateCase {
  absl::string_view word;
  MachineState state;
};
class StateTest : public testing::TestWithParam<StateCase> {};
TEST_P(StateTest, IsOurs) { EXPECT_EQ(StateOfInstance(GetParam().word), GetParam().state); }
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"pending", machine::v1::MACHINE_STATE_STARTING},
                             {"running", machine::v1::MACHINE_STATE_RUNNING},
                             {"stopping", machine::v1::MACHINE_STATE_STOPPING},
                             {"stopped", machine::v1::MACHINE_STATE_STOPPED},
                             {"shutting-down", machine::v1::MACHINE_STATE_REMOVING},
                             {"terminated", machine::v1::MACHINE_STATE_NOT_FOUND},
                             {"unheard-of", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }));

struct CheckCase {
  absl::string_view label;
  std::vector<OptionValue> options;
  /// Parts of the message; empty where the check passes.
  std::vector<std::string> words;
};
class CheckTest : public AmazonEc2DriverTest, public testing::WithParamInterface<CheckCase> {};
TEST_P(CheckTest, SaysWhatExists) {
  const absl::Status status = PreCreateCheck(GetParam().options);
  if (GetParam().words.empty()) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("--", GetParam().options.front().name())));
}
INSTANTIATE_TEST_SUITE_P(
    Options, CheckTest,
    testing::ValuesIn<CheckCase>({
        {"Region", {Option(kRegionFlag, "mars-1")}, {"\"mars-1\"", "eu-central-1, us-east-1"}},
        {"Zone", {Option(kZoneFlag, "z")}, {"us-east-1z", "us-east-1a, us-east-1b"}},
        {"Type", {Option(kTypeFlag, "x9.huge")}, {"x9.huge", "t2.micro, t3.micro"}},
        {"TypeOfAnotherZone",
         {Option(kTypeFlag, "m5.large"), Option(kZoneFlag, "a")},
         {"zone us-east-1a", "t2.micro"}},
        {"TypeOfSomeZone", {Option(kTypeFlag, "m5.large")}, {}},
        {"Image", {Option(kAmiFlag, "ami-cc3b3ea4")}, {"no image \"ami-cc3b3ea4\"", "leave"}},
        {"ImageForAnotherProcessor",
         {Option(kAmiFlag, "ami-0arm"), Option(kTypeFlag, "t2.micro")},
         {"arm64", "t2.micro"}},
        {"ImageThatTellsTheType", {Option(kAmiFlag, "ami-0arm")}, {}},
        {"Vpc", {Option(kVpcFlag, "vpc-none")}, {"vpc-default, vpc-other"}},
        {"Subnet", {Option(kSubnetFlag, "subnet-none")}, {"subnet-a, subnet-a2"}},
        {"SubnetOfAnotherVpc",
         {Option(kSubnetFlag, "subnet-a"), Option(kVpcFlag, "vpc-other")},
         {"VPC vpc-other", "subnet-other"}},
        {"SubnetOfAnotherZone",
         {Option(kSubnetFlag, "subnet-a"), Option(kZoneFlag, "b")},
         {"zone b", "subnet-b"}},
        {"Group",
         {Option(kGroupFlag, std::vector<std::string>{"none"})},
         {"VPC vpc-default", "default"}},
        {"KeyPair", {Option(kKeyPairFlag, "none")}, {"no key pair"}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(AmazonEc2DriverTest, WarnsOfOpenDoors) {
  EXPECT_TRUE(PreCreateCheck({Option("amazonec2-metadata-token", "optional")}).ok());
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("whole internet"), HasSubstr("credentials")));
  record_.log.clear();
  EXPECT_TRUE(PreCreateCheck({Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.0/8"})}).ok());
  EXPECT_THAT(record_.log, IsEmpty());
}

TEST_F(AmazonEc2DriverTest, BatchInspectReadsEachAccountOnce) {
  constexpr int kMachines = 1200;
  fake_.AddInstances(kMachines);
  std::vector<MachineSpec> machines;
  const MachineSpec first = Machine({}, "0");
  for (int i = 0; i < kMachines; ++i) {
    machines.push_back(first);
    machines.back().uid = absl::StrCat(i);
  }
  machines.push_back(Machine({}, "unknown"));
  fake_.ForgetRequests();
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), machines.size());
  for (int i = 0; i < kMachines; ++i) {
    EXPECT_EQ((*seen)[i].state(), machine::v1::MACHINE_STATE_RUNNING) << i;
  }
  EXPECT_EQ(seen->back().state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  // Two pages of 1,000, and another look for the one that is missing.
  EXPECT_EQ(fake_.CountOf(""), 3);
}

TEST_F(AmazonEc2DriverTest, ASilentAccountDelaysNoOther) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const std::vector<MachineSpec> machines = {
      machine, Machine({SecretOption(kAccessKeyFlag, "AKIAWRONG")}, "other")};
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ((*seen)[0].state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ((*seen)[1].state(), machine::v1::MACHINE_STATE_TIMEOUT);
}

struct BadOptionCase {
  absl::string_view label;
  OptionValue option;
};
class BadOptionTest : public AmazonEc2DriverTest,
                      public testing::WithParamInterface<BadOptionCase> {};
TEST_P(BadOptionTest, IsRefusedByName) {
  const auto options = MakeOptions(driver_, {SecretOption(kAccessKeyFlag, "AKIA"),
                                             SecretOption(kSecretKeyFlag, "s"), GetParam().option});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()),
              HasSubstr(absl::StrCat("--", GetParam().option.name())));
}
INSTANTIATE_TEST_SUITE_P(
    Options, BadOptionTest,
    testing::ValuesIn<BadOptionCase>({
        {"KeyWithALineEnd", SecretOption(kAccessKeyFlag, "abc\nX-Evil: 1")},
        {"TokenWithALineEnd", SecretOption(kSessionTokenFlag, "abc\nX-Evil: 1")},
        {"RegionThatIsAHost", Option(kRegionFlag, "x.example.com/")},
        {"WholeZone", Option(kZoneFlag, "us-east-1a")},
        {"CidrWithoutBits", Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.1"})},
        {"PlainHttp", Option("amazonec2-endpoint", "http://ec2.example.com")},
        {"VolumeType", Option("amazonec2-volume-type", "io9")},
        {"RootSize", Option("amazonec2-root-size", 0)},
        {"Price", Option("amazonec2-spot-price", "cheap")},
        {"OddTags", Option("amazonec2-tags", "a,b,c")},
        {"ReservedTag", Option("amazonec2-tags", "docker-machine-uid,x")},
        {"MetadataToken", Option("amazonec2-metadata-token", "maybe")},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(AmazonEc2DriverTest, AKeyWithoutItsSecretIsRefused) {
  const auto options = MakeOptions(driver_, {SecretOption(kAccessKeyFlag, "AKIA")});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("--amazonec2-secret-key"));
}

TEST_F(AmazonEc2DriverTest, EveryRequestFitsThePublishedDescription) {
  if (!fake_.checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no amazonec2 description";
  // The fake fails the test at the first request that does not fit.
  MachineSpec machine = Machine({BoolOption("amazonec2-request-spot-instance", true),
                                 Option(kOpenCidrFlag, std::vector<std::string>{"::/0"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_TRUE(driver_.ListInstances(*Call(), kTestOrchestrator, machine.options).ok());
  fake_.AddVolume(kUid);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_GT(fake_.CountOf(""), 25);
}

}  // namespace
}  // namespace machine::driver::amazonec2
