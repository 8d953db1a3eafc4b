#include "drivers/softlayer/softlayer_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/softlayer/machine_instance.h"
#include "drivers/softlayer/settings.h"
#include "services/common/status/status.h"
#include "tests/fakes/softlayer/fake_softlayer.h"

namespace machine::driver::softlayer {
namespace {

using fakes::FakeSoftLayer;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Strings = std::vector<std::string>;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kCreate[] = "POST /rest/v3.1/SoftLayer_Virtual_Guest/createObject";
constexpr char kList[] = "GET /rest/v3.1/SoftLayer_Account/getVirtualGuests";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class SoftLayerDriverTest : public testing::Test {
 protected:
  SoftLayerDriverTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(const std::vector<OptionValue>& more = {}, absl::string_view uid = kUid) {
    std::vector<OptionValue> values = {
        Option(kUserFlag, FakeSoftLayer::kUser), SecretOption(kApiKeyFlag, FakeSoftLayer::kApiKey),
        Option("softlayer-domain", "example.com"), Option(kEndpointFlag, fake_.endpoint())};
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

  std::unique_ptr<DriverCall> Call() { return MakeCall(kUid, record_); }

  // Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  MachineState Inspect(const MachineSpec& machine) {
    const auto seen = driver_.Inspect(*Call(), machine);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  void ExpectNothing() const {
    EXPECT_THAT(fake_.GuestNames(), IsEmpty());
    EXPECT_THAT(fake_.KeyLabels(), IsEmpty());
    EXPECT_THAT(fake_.SecurityGroupNames(), IsEmpty());
  }

  FakeSoftLayer fake_;
  CallRecord record_;
  SoftLayerDriver driver_;
};

TEST_F(SoftLayerDriverTest, ReportsWhetherRequestsAreCheckedAgainstThePublishedTable) {
  if (!fake_.checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no description of SoftLayer";
}

TEST_F(SoftLayerDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_EQ(fake_.CountOf("POST /rest/v3.1/SoftLayer_Virtual_Guest/generateOrderTemplate"), 1);
  EXPECT_THAT(record_.log, IsEmpty());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["hostname"], "docker");
  EXPECT_EQ(asked["domain"], "example.com");
  EXPECT_EQ(asked["datacenter"]["name"], "dal01");
  EXPECT_EQ(asked["operatingSystemReferenceCode"], "UBUNTU_24_64");
  EXPECT_EQ(asked["startCpus"], 1);
  EXPECT_EQ(asked["maxMemory"], 1024);
  EXPECT_EQ(asked["hourlyBillingFlag"], true);
  EXPECT_EQ(asked["localDiskFlag"], false);
  EXPECT_FALSE(asked.contains("blockDevices"));
  EXPECT_EQ(asked["userData"][0]["value"], absl::StrCat("# docker-machine ", UidTag(kUid), " ",
                                                        OrchestratorTag(kTestOrchestrator), "\n"));
  EXPECT_EQ(fake_.LastTags(),
            absl::StrCat(UidTag(kUid), ",docker-machine,", OrchestratorTag(kTestOrchestrator)));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothing();
}

TEST_F(SoftLayerDriverTest, CreatesWhatIsAskedFor) {
  const int64_t key = fake_.AddSshKey("mine", "ssh-rsa AAAA mine");
  MachineSpec machine = Machine(
      {Option(kRegionFlag, "AMS03"), Option(kCpuFlag, int64_t{2}),
       Option(kMemoryFlag, int64_t{4096}), Option(kDiskFlag, int64_t{101}),
       Option(kImageFlag, "DEBIAN_12_64"), Option("softlayer-hostname", "web"),
       BoolOption("softlayer-monthly-billing", true), BoolOption("softlayer-local-disk", true),
       Option(kPublicVlanFlag, int64_t{501}), Option(kPrivateVlanFlag, int64_t{502}),
       Option(kKeyIdFlag, key), Option("softlayer-tag", Strings{"a,b"}),
       Option(kOpenCidrFlag, Strings{"203.0.113.0/24"}),
       Option("softlayer-userdata-text", "#cloud-config")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("by the month")));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["hostname"], "web");
  EXPECT_EQ(asked["datacenter"]["name"], "ams03");
  EXPECT_EQ(asked["hourlyBillingFlag"], false);
  EXPECT_EQ(asked["localDiskFlag"], true);
  EXPECT_EQ(asked["blockDevices"][0]["diskImage"]["capacity"], 101);
  EXPECT_EQ(asked["primaryNetworkComponent"]["networkVlan"]["id"], 501);
  EXPECT_EQ(asked["primaryNetworkComponent"]["securityGroupBindings"].size(), 1u);
  EXPECT_EQ(asked["primaryBackendNetworkComponent"]["networkVlan"]["id"], 502);
  EXPECT_EQ(asked["sshKeys"].size(), 2u);
  EXPECT_THAT(asked["userData"][0]["value"].get<std::string>(),
              testing::StartsWith("#cloud-config\n# docker-machine machine-uid-"));
  EXPECT_THAT(fake_.Rules(),
              ElementsAre("ingress 22 203.0.113.0/24", "ingress 2376 203.0.113.0/24",
                          "ingress 3376 203.0.113.0/24", "egress 0 any", "egress 0 any"));
  EXPECT_THAT(fake_.LastTags(), testing::EndsWith(",a,b"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.GuestNames(), IsEmpty());
  EXPECT_THAT(fake_.SecurityGroupNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyLabels(), ElementsAre("mine"));
}

TEST_F(SoftLayerDriverTest, AMachineWithoutAPublicAddressIsReachedByItsPrivateOne) {
  MachineSpec machine = Machine({BoolOption("softlayer-private-net-only", true)});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.LastCreate()["privateNetworkOnlyFlag"], true);
  EXPECT_THAT(made->endpoint().ssh_host(), testing::StartsWith("10."));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
}

TEST_F(SoftLayerDriverTest, AnImageTemplateIsOrderedByItsIdentifier) {
  constexpr char kTemplate[] = "6b7f1c1e-1111-4222-8333-444455556666";
  MachineSpec machine = Machine({Option(kImageFlag, kTemplate)});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["blockDeviceTemplateGroup"]["globalIdentifier"], kTemplate);
  EXPECT_FALSE(fake_.LastCreate().contains("operatingSystemReferenceCode"));
}

TEST_F(SoftLayerDriverTest, AKeyThatTheAccountHasIsUsedAndStays) {
  const int64_t key = fake_.AddSshKey("mine", absl::StrCat(kTestKey, " another comment"));
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["sshKeys"], nlohmann::json::array({{{"id", key}}}));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyLabels(), ElementsAre("mine"));
}

TEST_F(SoftLayerDriverTest, WhereTheDefaultTakesNoOrdersAnotherOfDallasIsTaken) {
  fake_.CloseDatacenter("dal01");
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["datacenter"]["name"], "dal13");
}

TEST_F(SoftLayerDriverTest, AnOrderThatIsRefusedFailsTheCheck) {
  fake_.RefuseOrders("SoftLayer_Exception_Order_Item_Invalid", "The VLAN has no free addresses.");
  const absl::Status status = driver_.PreCreateCheck(*Call(), Machine());
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no free addresses"));
}

TEST_F(SoftLayerDriverTest, AMachineThatWasImportedIsKnownByItsId) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const int64_t key = fake_.AddSshKey("dev", "ssh-rsa BBBB dev");
  MachineSpec imported = Machine();
  imported.state_version = kImportedStateVersion;
  imported.state = absl::StrCat(R"({"Id": )", fake_.StripMarks(), R"(, "SSHKeyID": )", key, "}");
  const auto state = driver_.UpgradeState(*Call(), imported);
  ASSERT_TRUE(state.ok()) << state.status();
  imported.state = *state;
  imported.uid = "another";
  EXPECT_EQ(Inspect(imported), machine::v1::MACHINE_STATE_RUNNING);
  const auto seen = driver_.BatchInspect(*Call(), {imported});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->front().state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), imported).ok());
  EXPECT_THAT(fake_.GuestNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyLabels(), ElementsAre(UidTag(kUid)));
}

TEST_F(SoftLayerDriverTest, ListsWhatAnOrchestratorMade) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  EXPECT_THAT(*driver_.ListInstances(*Call(), "another", machine.options), IsEmpty());
}

// Whatever goes wrong on the way, a create that is tried again ends with one instance, and a remove
// with none.
struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public SoftLayerDriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneInstanceAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine({Option(kOpenCidrFlag, Strings{"203.0.113.0/24"})});
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.GuestNames().size(), 1u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothing();
}
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledCreate", {.kind = Fault::Kind::kThrottle, .route = kCreate}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = kCreate}},
        {"Create500ButMade", {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate}},
        {"Create500ButMadeAndUnseen",
         {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate},
         4},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = kCreate}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = kCreate}, 4},
        {"GarbageCreate", {.kind = Fault::Kind::kGarbage, .route = kCreate}},
        {"UnseenForAWhile",
         {.kind = Fault::Kind::kGarbage,
          .route = "GET /rest/v3.1/SoftLayer_Virtual_Guest/getCreateObjectOptions"},
         5},
        {"LostKeyReply",
         {.kind = Fault::Kind::kLoseReply,
          .route = "POST /rest/v3.1/SoftLayer_Security_Ssh_Key/createObject"}},
        {"LostGroupReply",
         {.kind = Fault::Kind::kLoseReply,
          .route = "POST /rest/v3.1/SoftLayer_Network_SecurityGroup/createObject"}},
        {"LostRulesReply",
         {.kind = Fault::Kind::kLoseReply,
          .route = "POST /rest/v3.1/SoftLayer_Network_SecurityGroup/{id}/addRules"}},
        {"TagsFail",
         {.kind = Fault::Kind::kStatus,
          .route = "POST /rest/v3.1/SoftLayer_Virtual_Guest/{id}/setTags"}},
        {"GarbageList", {.kind = Fault::Kind::kGarbage, .route = kList}},
        {"List500", {.kind = Fault::Kind::kStatus, .route = kList, .times = 2}},
        {"PollsFail",
         {.kind = Fault::Kind::kStatus,
          .route = "GET /rest/v3.1/SoftLayer_Virtual_Guest/{id}/{method}",
          .times = 7}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(SoftLayerDriverTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const char* const kAct = "GET /rest/v3.1/SoftLayer_Virtual_Guest/{id}/{method}";
  for (const Fault::Kind kind : {Fault::Kind::kLoseReply, Fault::Kind::kStatus,
                                 Fault::Kind::kStatusAfterEffect, Fault::Kind::kThrottle}) {
    fake_.Order({.kind = kind, .route = kAct, .after = 1});
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->endpoint().docker_url(), "");
    fake_.Order({.kind = kind, .route = kAct, .after = 1});
    const auto started = driver_.Start(*Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
  }
}

TEST_F(SoftLayerDriverTest, AGuestThatDoesNotShutDownIsNotKilled) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.IgnoreStop(true);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(SoftLayerDriverTest, APausedGuestIsResumed) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPower(UidTag(kUid), "PAUSED");
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_PAUSED);
  EXPECT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

struct RefusalCase {
  absl::string_view label;
  absl::string_view code;
  absl::string_view error;
  absl::StatusCode status;
};
class RefusalTest : public SoftLayerDriverTest, public testing::WithParamInterface<RefusalCase> {};
TEST_P(RefusalTest, IsToldByItsCodeAndNotByTheHttpStatus) {
  fake_.RefuseOrders(GetParam().code, GetParam().error);
  MachineSpec machine = Machine();
  const absl::Status status = Create(machine).status();
  EXPECT_EQ(status.code(), GetParam().status) << status;
  EXPECT_THAT(fake_.GuestNames(), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    Codes, RefusalTest,
    testing::ValuesIn<RefusalCase>({
        {"Quota", "SoftLayer_Exception_Public", "The quota of virtual guests is reached.",
         absl::StatusCode::kResourceExhausted},
        {"Value", "SoftLayer_Exception_InvalidValue", "Invalid value for maxMemory.",
         absl::StatusCode::kInvalidArgument},
        {"Order", "SoftLayer_Exception_Order_Location_Invalid", "The location is invalid.",
         absl::StatusCode::kFailedPrecondition},
        {"Server", "SOAP-ENV:Server", "Internal error.", absl::StatusCode::kUnavailable},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(SoftLayerDriverTest, AWrongKeyIsNamedAndNotShown) {
  const absl::Status status =
      driver_.PreCreateCheck(*Call(), Machine({SecretOption(kApiKeyFlag, "wrong-key")}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--softlayer-api-key"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wrong-key")));
}

struct StateCase {
  absl::string_view status;
  MachineState state;
};
class StateTest : public testing::TestWithParam<StateCase> {};
TEST_P(StateTest, IsOurs) { EXPECT_EQ(StateOfGuest(GetParam().status), GetParam().state); }
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"RUNNING", machine::v1::MACHINE_STATE_RUNNING},
                             {"HALTED", machine::v1::MACHINE_STATE_STOPPED},
                             {"PAUSED", machine::v1::MACHINE_STATE_PAUSED},
                             {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
                             {"PROVISIONING", machine::v1::MACHINE_STATE_STARTING},
                             {"RECLAIMING", machine::v1::MACHINE_STATE_REMOVING},
                             {"unknown", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }),
                         [](const auto& info) { return std::string(info.param.status); });

struct CheckCase {
  absl::string_view label;
  OptionValue option;
  /// A part of the message.
  absl::string_view words;
};
class CheckTest : public SoftLayerDriverTest, public testing::WithParamInterface<CheckCase> {};
TEST_P(CheckTest, SaysWhatExists) {
  const absl::Status status = driver_.PreCreateCheck(*Call(), Machine({GetParam().option}));
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(GetParam().words)));
}
INSTANTIATE_TEST_SUITE_P(
    Options, CheckTest,
    testing::ValuesIn<CheckCase>({
        {"UnknownRegion", Option(kRegionFlag, "mars"), "\"mars\"; there are ams03, dal01"},
        {"UnknownImage", Option(kImageFlag, "BEOS_5"), "DEBIAN_12_64"},
        {"UnknownCpus", Option(kCpuFlag, int64_t{3}), "there are 1, 2, 4"},
        {"UnknownMemory", Option(kMemoryFlag, int64_t{1025}), "1024, 2048, 4096"},
        {"UnknownDisk", Option(kDiskFlag, int64_t{26}), "there are 100, 25"},
        {"UnknownPublicVlan", Option(kPublicVlanFlag, int64_t{7}), "501, 502"},
        {"UnknownPrivateVlan", Option(kPrivateVlanFlag, int64_t{7}), "--softlayer-private-vlan-id"},
        {"UnknownKey", Option(kKeyIdFlag, int64_t{7}), "--softlayer-ssh-key-id"},
        {"RetiredImage", Option(kImageFlag, "UBUNTU_14_64"), "newest Ubuntu LTS"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct BadOptionCase {
  absl::string_view label;
  OptionValue option;
};
class BadOptionTest : public testing::TestWithParam<BadOptionCase> {};
TEST_P(BadOptionTest, IsRefusedByName) {
  const SoftLayerDriver driver;
  const auto options =
      MakeOptions(driver, {Option(kUserFlag, "u"), SecretOption(kApiKeyFlag, "k"),
                           Option("softlayer-domain", "example.com"), GetParam().option});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("--softlayer-"));
}
INSTANTIATE_TEST_SUITE_P(
    Options, BadOptionTest,
    testing::ValuesIn<BadOptionCase>({
        {"KeyWithALineEnd", SecretOption(kApiKeyFlag, "abc\nX-Evil: 1")},
        {"UserWithAColon", Option(kUserFlag, "a:b")},
        {"PlainHttp", Option(kEndpointFlag, "http://api.example.com/rest/v3.1")},
        {"Soap", Option(kEndpointFlag, "https://api.softlayer.com/soap/v3")},
        {"BadDomain", Option("softlayer-domain", "nodots")},
        {"BadHostname", Option("softlayer-hostname", "a.b")},
        {"BadTag", Option("softlayer-tag", Strings{"a/b"})},
        {"BadCidr", Option(kOpenCidrFlag, Strings{"everybody"})},
        {"TooMuchUserData", Option("softlayer-userdata-text", std::string(20'000, 'x'))},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(CredentialsTest, TheOriginalsEndpointBecomesTodays) {
  const SoftLayerDriver driver;
  const auto options = MakeOptions(driver, {Option(kUserFlag, "u"), SecretOption(kApiKeyFlag, "k"),
                                            Option("softlayer-domain", "example.com"),
                                            Option(kEndpointFlag, "api.softlayer.com/rest/v3")});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(ReadCredentials(*options)->endpoint, "https://api.softlayer.com/rest/v3.1");
}

TEST(BillingTest, IsByTheHourUnlessSomebodySaysOtherwise) {
  const SoftLayerDriver driver;
  const auto hourly = [&](std::vector<OptionValue> more) {
    more.push_back(Option(kUserFlag, "u"));
    more.push_back(SecretOption(kApiKeyFlag, "k"));
    more.push_back(Option("softlayer-domain", "example.com"));
    return ReadSettings(*MakeOptions(driver, more))->hourly;
  };
  EXPECT_TRUE(hourly({}));
  EXPECT_TRUE(hourly({BoolOption("softlayer-hourly-billing", true)}));
  EXPECT_FALSE(hourly({BoolOption("softlayer-hourly-billing", false)}));
  EXPECT_FALSE(hourly({BoolOption("softlayer-monthly-billing", true)}));
}

TEST_F(SoftLayerDriverTest, BatchInspectReadsEachAccountOnce) {
  fake_.AddGuests(250, "# docker-machine machine-uid-", "\n");
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 250; ++i) machines.push_back(Machine({}, absl::StrCat(i)));
  machines.push_back(Machine({}, "unknown"));
  fake_.ForgetRequests();
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 251u);
  for (int i = 0; i < 250; ++i) {
    EXPECT_EQ((*seen)[i].state(), machine::v1::MACHINE_STATE_RUNNING) << i;
  }
  EXPECT_EQ(seen->back().state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  // Three pages of 100, and once more for the one that is missing.
  EXPECT_EQ(fake_.CountOf(""), 6);
}

}  // namespace
}  // namespace machine::driver::softlayer
