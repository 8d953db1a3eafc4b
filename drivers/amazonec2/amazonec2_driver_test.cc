#include "drivers/amazonec2/amazonec2_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/amazonec2/settings.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::driver::amazonec2 {
namespace {

using fakes::FakeAmazonEc2;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr char kRun[] = "POST / RunInstances";
constexpr char kList[] = "POST / DescribeInstances";

class AmazonEc2Cloud final : public CloudOf<FakeAmazonEc2, AmazonEc2Driver> {
 public:
  // Neither the files nor the variables of the test's own host count.
  AmazonEc2Cloud()
      : CloudOf(std::make_unique<FakeAmazonEc2>(),
                std::make_unique<AmazonEc2Driver>(
                    FastTiming<Timing>(),
                    [](const char*) -> std::optional<std::string> { return "/none"; })) {}

  CloudFacts Facts() const override {
    return {.create = kRun,
            .stop = "POST / StopInstances",
            .start = "POST / StartInstances",
            .while_stopping = machine::v1::MACHINE_STATE_STOPPING,
            .wrong_credentials = SecretOption(kAccessKeyFlag, "AKIAWRONG"),
            .refusal = {"--amazonec2-access-key"},
            .check_reads = {"POST / DescribeRegions", "POST / DescribeSubnets"},
            // Two pages of 1,000, and another look.
            .batch = {.machines = 1200, .requests = 3},
            .killed = {.route = kList, .after = 1, .first_checkpoint = true},
            .creates_after_kill = 0,
            .requests_of_a_life = 25};
  }
  std::vector<OptionValue> Account() override {
    return {SecretOption(kAccessKeyFlag, FakeAmazonEc2::kAccessKey),
            SecretOption(kSecretKeyFlag, FakeAmazonEc2::kSecretKey),
            Option("amazonec2-endpoint", fake->url())};
  }

  std::vector<std::string> Instances() override { return fake->InstanceIds(); }
  void ExpectNothingLeft() override {
    EXPECT_THAT(fake->InstanceIds(), IsEmpty());
    EXPECT_THAT(fake->KeyNames(), IsEmpty());
    EXPECT_THAT(fake->GroupNames(), IsEmpty());
    EXPECT_THAT(fake->OpenSpotRequests(), IsEmpty());
    EXPECT_THAT(fake->Volumes(), IsEmpty());
  }
  bool Checked() override { return fake->checked(); }

  void HoldShutdown(bool hold) override { fake->IgnoreShutdown(hold); }
  void ReachLimit() override { fake->SetQuota(0); }
  void AddInstances(int count) override { fake->AddInstances(count); }
  MachineState StateOf(absl::string_view word, absl::string_view) override {
    return StateOfInstance(word);
  }

  static std::vector<FaultRow> Faults() {
    using Kind = Fault::Kind;
    return Joined(
        CommonFaults({.create = kRun, .list = kList, .read = "POST / DescribeImages"}),
        {
            {"Create503ForLong", {.kind = Kind::kStatus, .route = kRun, .times = 7, .status = 503}},
            {"Create500ButMadeAndUnseenForLong",
             {.kind = Kind::kStatusAfterEffect, .route = kRun, .times = 6},
             4},
            {"LostReplyAndUnseenForLong", {.kind = Kind::kLoseReply, .route = kRun, .times = 6}, 4},
            {"List500ForLong", {.kind = Kind::kStatus, .route = kList, .times = 7}},
            {"LostKeyReply",
             {.kind = Kind::kLoseReply, .route = "POST / ImportKeyPair", .times = 5},
             3},
            {"LostGroupReply",
             {.kind = Kind::kLoseReply, .route = "POST / CreateSecurityGroup"},
             3},
            {"LostRuleReply",
             {.kind = Kind::kLoseReply, .route = "POST / AuthorizeSecurityGroupIngress"}},
            {"Ssm500", {.kind = Kind::kStatus, .route = "POST / AmazonSSM.GetParameter"}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults("POST / TerminateInstances", kList);
  }
  static std::vector<StateRow> States() {
    return {
        {"pending", machine::v1::MACHINE_STATE_STARTING},
        {"running", machine::v1::MACHINE_STATE_RUNNING},
        {"stopping", machine::v1::MACHINE_STATE_STOPPING},
        {"stopped", machine::v1::MACHINE_STATE_STOPPED},
        {"shutting-down", machine::v1::MACHINE_STATE_REMOVING},
        {"terminated", machine::v1::MACHINE_STATE_NOT_FOUND},
        {"unheard-of", machine::v1::MACHINE_STATE_UNSPECIFIED},
    };
  }
  static std::vector<CheckRow> Checks() {
    return {
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
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"KeyWithALineEnd", {SecretOption(kAccessKeyFlag, "abc\nX-Evil: 1")}},
        {"TokenWithALineEnd", {SecretOption(kSessionTokenFlag, "abc\nX-Evil: 1")}},
        {"RegionThatIsAHost", {Option(kRegionFlag, "x.example.com/")}},
        {"WholeZone", {Option(kZoneFlag, "us-east-1a")}},
        {"CidrWithoutBits", {Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.1"})}},
        {"PlainHttp", {Option("amazonec2-endpoint", "http://ec2.example.com")}},
        {"VolumeType", {Option("amazonec2-volume-type", "io9")}},
        {"RootSize", {Option("amazonec2-root-size", 0)}},
        {"Price", {Option("amazonec2-spot-price", "cheap")}},
        {"OddTags", {Option("amazonec2-tags", "a,b,c")}},
        {"ReservedTag", {Option("amazonec2-tags", "docker-machine-uid,x")}},
        {"MetadataToken", {Option("amazonec2-metadata-token", "maybe")}},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {
        {"Empty", ""},
        {"NoObject", "[]"},
        {"NoText", R"({"InstanceId": 7})"},
        {"NoId", R"({"InstanceId": ""})"},
    };
  }
};
INSTANTIATE_CLOUD_SUITE(AmazonEc2Cloud);
INSTANTIATE_CLOUD_OPTIONS_SUITE(AmazonEc2Cloud);

class AmazonEc2DriverTest : public CloudFixture<AmazonEc2Cloud> {
 protected:
  // Of the last RunInstances.
  std::string Asked(const std::string& parameter) {
    const fakes::Form run = fake_.LastRun();
    const auto it = run.find(parameter);
    return it == run.end() ? "" : it->second;
  }
};

TEST_F(AmazonEc2DriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(Asked("ClientToken"), kTestUid);
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
    EXPECT_EQ(Asked(tag + "3.Value"), kTestUid);
    EXPECT_EQ(Asked(tag + "4.Value"), kTestOrchestrator);
  }
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ip_addresses(0).substr(0, 7), "198.51.");
  EXPECT_EQ(endpoint.ssh_host(), endpoint.ip_addresses(0));
  EXPECT_EQ(endpoint.ssh_user(), "ubuntu");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_THAT(fake_.KeyNames(), ElementsAre(UidTag(kTestUid)));
  EXPECT_THAT(
      fake_.RulesOf(UidTag(kTestUid)),
      UnorderedElementsAre("22 from 0.0.0.0/0", "2376 from 0.0.0.0/0", "3376 from 0.0.0.0/0"));
  fake_.AddVolume(kTestUid);
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

TEST_F(AmazonEc2DriverTest, AnInstanceThatEndsBeforeItRunsIsToldAndMadeAnew) {
  fake_.FailNextLaunch();
  MachineSpec machine = Machine();
  const absl::Status failed = Create(machine).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("Client.VolumeLimitExceeded"));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Asked("ClientToken"), absl::StrCat(kTestUid, "-1"));
}

TEST_F(AmazonEc2DriverTest, AfterSomebodyEndedTheInstanceACreateMakesAnother) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.Terminate(kTestUid);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.InstanceIds().size(), 1u);
}

TEST_F(AmazonEc2DriverTest, ARestartRebootsWhatRunsAndStartsTheRest) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(fake_.CountOf("POST / RebootInstances"), 0);
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

TEST_F(AmazonEc2DriverTest, WarnsOfOpenDoors) {
  EXPECT_TRUE(PreCreateCheck({Option("amazonec2-metadata-token", "optional")}).ok());
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("whole internet"), HasSubstr("credentials")));
  record_.log.clear();
  EXPECT_TRUE(PreCreateCheck({Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.0/8"})}).ok());
  EXPECT_THAT(record_.log, IsEmpty());
}

TEST_F(AmazonEc2DriverTest, AKeyWithoutItsSecretIsRefused) {
  const auto options = MakeOptions(driver_, {SecretOption(kAccessKeyFlag, "AKIA")});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("--amazonec2-secret-key"));
}

TEST_F(AmazonEc2DriverTest, EveryRequestForASpotInstanceFitsThePublishedDescription) {
  if (!fake_.checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no amazonec2 description";
  // The fake fails the test at the first request that does not fit.
  MachineSpec machine = Machine({BoolOption("amazonec2-request-spot-instance", true),
                                 Option(kOpenCidrFlag, std::vector<std::string>{"::/0"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_TRUE(driver_.ListInstances(*Call(), kTestOrchestrator, machine.options).ok());
  fake_.AddVolume(kTestUid);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_GT(fake_.CountOf(""), 25);
}

}  // namespace
}  // namespace machine::driver::amazonec2
