#include "drivers/exoscale/exoscale_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/exoscale/catalog.h"
#include "drivers/exoscale/settings.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/exoscale/fake_exoscale.h"

namespace machine::driver::exoscale {
namespace {

using fakes::FakeExoscale;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Strings = std::vector<std::string>;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kCreate[] = "POST /v2/instance";
constexpr char kList[] = "GET /v2/instance";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class ExoscaleDriverTest : public testing::Test {
 protected:
  ExoscaleDriverTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(const std::vector<OptionValue>& more = {}, absl::string_view uid = kUid) {
    std::vector<OptionValue> values = {SecretOption(kKeyFlag, FakeExoscale::kKey),
                                       SecretOption(kSecretFlag, FakeExoscale::kSecret),
                                       Option(kUrlFlag, fake_.url())};
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
    EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
    EXPECT_THAT(fake_.KeyNames(), IsEmpty());
    EXPECT_THAT(fake_.SecurityGroupNames(), IsEmpty());
    EXPECT_THAT(fake_.AffinityGroupNames(), IsEmpty());
  }

  FakeExoscale fake_;
  CallRecord record_;
  ExoscaleDriver driver_;
};

TEST_F(ExoscaleDriverTest, ReportsWhetherRequestsAreCheckedAgainstThePublishedDescription) {
  if (!fake_.checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no description of Exoscale";
}

TEST_F(ExoscaleDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("--exoscale-open-cidr")));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["name"], "dev-one");
  EXPECT_EQ(fake_.NameOf(asked["instance-type"]["id"]), "standard.small");
  EXPECT_EQ(fake_.NameOf(asked["template"]["id"]), "Linux Ubuntu 24.04 LTS 64-bit");
  EXPECT_EQ(asked["disk-size"], 50);
  EXPECT_EQ(asked["public-ip-assignment"], "inet4");
  EXPECT_EQ(asked["ssh-keys"], nlohmann::json({{{"name", UidTag(kUid)}}}));
  EXPECT_EQ(asked["labels"],
            nlohmann::json({{"machine-uid", kUid}, {"machine-orchestrator", kTestOrchestrator}}));
  EXPECT_THAT(fake_.RulesOf("docker-machine"),
              ElementsAre("22 0.0.0.0/0", "2376 0.0.0.0/0", "3376 0.0.0.0/0"));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 1);
  EXPECT_EQ(endpoint.ssh_user(), "ubuntu");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothing();
}

TEST_F(ExoscaleDriverTest, CreatesWhatIsAskedFor) {
  fake_.AddSshKey("mine");
  fake_.AddSecurityGroup("own");
  MachineSpec machine = Machine(
      {Option("exoscale-instance-profile", "Memory.Large"), Option("exoscale-image", "debian-12"),
       Option("exoscale-disk-size", int64_t{100}),
       Option("exoscale-security-group", Strings{"own", "new"}),
       Option("exoscale-open-cidr", Strings{"203.0.113.0/24"}),
       Option("exoscale-affinity-group", Strings{"spread"}),
       Option("exoscale-label", Strings{"team=a=b"}), Option("exoscale-key-name", "mine"),
       BoolOption("exoscale-ipv6", true), Option("exoscale-userdata-text", "#cloud-config")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, IsEmpty());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(fake_.NameOf(asked["instance-type"]["id"]), "memory.large");
  EXPECT_EQ(fake_.NameOf(asked["template"]["id"]), "Linux Debian 12 (Bookworm) 64-bit");
  EXPECT_EQ(asked["disk-size"], 100);
  EXPECT_EQ(asked["labels"]["team"], "a=b");
  EXPECT_EQ(asked["user-data"], "I2Nsb3VkLWNvbmZpZw==");
  EXPECT_EQ(asked["ssh-keys"].size(), 2u);
  EXPECT_EQ(asked["anti-affinity-groups"].size(), 1u);
  // The rules of a group of the user's own are the user's.
  EXPECT_THAT(fake_.RulesOf("own"), IsEmpty());
  EXPECT_THAT(fake_.RulesOf("new"),
              ElementsAre("22 203.0.113.0/24", "2376 203.0.113.0/24", "3376 203.0.113.0/24"));
  EXPECT_EQ(made->endpoint().ssh_user(), "debian");
  EXPECT_EQ(made->endpoint().ip_addresses_size(), 2);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
  EXPECT_THAT(fake_.SecurityGroupNames(), ElementsAre("own"));
  EXPECT_THAT(fake_.AffinityGroupNames(), IsEmpty());
}

TEST_F(ExoscaleDriverTest, AMachineWithoutAPublicAddressIsReachedInItsPrivateNetwork) {
  fake_.AddPrivateNetwork("inside");
  MachineSpec machine =
      Machine({Option(kPrivateNetworkFlag, "inside"), BoolOption(kPrivateOnlyFlag, true)});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.LastCreate()["public-ip-assignment"], "none");
  EXPECT_EQ(made->endpoint().ssh_host(), "10.0.0.2");
  const auto seen = driver_.BatchInspect(*Call(), {machine});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->front().endpoint().docker_url(), "tcp://10.0.0.2:2376");
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothing();
}

TEST_F(ExoscaleDriverTest, AGroupThatAnotherMachineUsesStays) {
  MachineSpec first = Machine();
  ASSERT_TRUE(Create(first).ok());
  MachineSpec second = Machine({}, "another");
  ASSERT_TRUE(Create(second).ok());
  EXPECT_TRUE(driver_.Remove(*Call(), first).ok());
  EXPECT_THAT(fake_.SecurityGroupNames(), ElementsAre("docker-machine"));
  EXPECT_TRUE(driver_.Remove(*Call(), second).ok());
  ExpectNothing();
}

TEST_F(ExoscaleDriverTest, AnOperationThatFailsSaysWhy) {
  MachineSpec machine = Machine();
  fake_.FailNextInstance("unsupported", "The type does not fit the template.");
  const absl::Status status = Create(machine).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not fit the template"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothing();
}

TEST_F(ExoscaleDriverTest, AMachineThatWasImportedIsKnownByItsId) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const std::string id = fake_.StripLabels();
  MachineSpec imported = Machine({Option(kUrlFlag, fake_.url())});
  imported.state_version = kImportedStateVersion;
  imported.state = absl::StrCat(R"({"Id": ")", id, R"(", "SSHUser": "root", "KeyPair": "dm-key"})");
  const auto state = driver_.UpgradeState(*Call(), imported);
  ASSERT_TRUE(state.ok()) << state.status();
  imported.state = *state;
  fake_.AddSshKey("dm-key");
  EXPECT_EQ(Inspect(imported), machine::v1::MACHINE_STATE_RUNNING);
  const auto seen = driver_.BatchInspect(*Call(), {imported});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->front().endpoint().ssh_user(), "root");
  EXPECT_TRUE(driver_.Remove(*Call(), imported).ok());
  EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre(UidTag(kUid)));
}

TEST_F(ExoscaleDriverTest, ListsWhatAnOrchestratorMade) {
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
class FaultTest : public ExoscaleDriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneInstanceAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine();
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.InstanceNames().size(), 1u);
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
        {"UnseenForAWhile", {.kind = Fault::Kind::kGarbage, .route = "GET /v2/template"}, 5},
        {"LostKeyReply", {.kind = Fault::Kind::kLoseReply, .route = "POST /v2/ssh-key"}},
        {"Key500", {.kind = Fault::Kind::kStatus, .route = "POST /v2/ssh-key"}},
        {"LostGroupReply", {.kind = Fault::Kind::kLoseReply, .route = "POST /v2/security-group"}},
        {"LostRuleReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST /v2/security-group/{id}/rules"}},
        {"OperationUnread",
         {.kind = Fault::Kind::kStatus, .route = "GET /v2/operation/{id}", .times = 3}},
        {"GarbageList", {.kind = Fault::Kind::kGarbage, .route = kList}},
        {"List500", {.kind = Fault::Kind::kStatus, .route = kList, .times = 2}},
        {"PollsFail", {.kind = Fault::Kind::kStatus, .route = "GET /v2/instance/{id}", .times = 7}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(ExoscaleDriverTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const char* const kAct = "PUT /v2/instance/{id}";
  for (const Fault::Kind kind : {Fault::Kind::kLoseReply, Fault::Kind::kStatus,
                                 Fault::Kind::kStatusAfterEffect, Fault::Kind::kThrottle}) {
    fake_.Order({.kind = kind, .route = kAct});
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->endpoint().docker_url(), "");
    fake_.Order({.kind = kind, .route = kAct});
    const auto started = driver_.Start(*Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
  }
}

TEST_F(ExoscaleDriverTest, AMachineThatDoesNotStopIsWaitedForAsLongAsAsked) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.IgnoreStop(true);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  fake_.IgnoreStop(false);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(ExoscaleDriverTest, TheLimitOfTheAccountIsAQuota) {
  fake_.SetLimit(0);
  MachineSpec machine = Machine();
  EXPECT_EQ(common::ReasonOf(Create(machine).status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
}

TEST_F(ExoscaleDriverTest, AWrongSecretIsNamedAndNotShown) {
  const absl::Status status =
      driver_.PreCreateCheck(*Call(), Machine({SecretOption(kSecretFlag, "wrong-secret")}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--exoscale-api-secret-key"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wrong-secret")));
}

struct StateCase {
  absl::string_view status;
  MachineState state;
};
class StateTest : public testing::TestWithParam<StateCase> {};
TEST_P(StateTest, IsOurs) { EXPECT_EQ(StateOfInstance(GetParam().status), GetParam().state); }
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"starting", machine::v1::MACHINE_STATE_STARTING},
                             {"running", machine::v1::MACHINE_STATE_RUNNING},
                             {"migrating", machine::v1::MACHINE_STATE_RUNNING},
                             {"stopping", machine::v1::MACHINE_STATE_STOPPING},
                             {"stopped", machine::v1::MACHINE_STATE_STOPPED},
                             {"error", machine::v1::MACHINE_STATE_ERROR},
                             {"destroying", machine::v1::MACHINE_STATE_REMOVING},
                             {"destroyed", machine::v1::MACHINE_STATE_NOT_FOUND},
                             {"expunging", machine::v1::MACHINE_STATE_NOT_FOUND},
                             {"unknown", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }),
                         [](const auto& info) { return std::string(info.param.status); });

struct CheckCase {
  absl::string_view label;
  OptionValue option;
  /// A part of the message.
  absl::string_view words;
};
class CheckTest : public ExoscaleDriverTest, public testing::WithParamInterface<CheckCase> {};
TEST_P(CheckTest, SaysWhatExists) {
  const absl::Status status = driver_.PreCreateCheck(*Call(), Machine({GetParam().option}));
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(GetParam().words)));
}
INSTANTIATE_TEST_SUITE_P(
    Options, CheckTest,
    testing::ValuesIn<CheckCase>({
        {"UnknownZone", Option(kZoneFlag, "ch-mars-1"), "\"ch-mars-1\"; there are ch-gva-2"},
        {"UnknownType", Option(kProfileFlag, "giant"), "memory.large, standard.medium"},
        {"TypeOfAnotherZone", Option(kProfileFlag, "huge"), "in zone ch-gva-2"},
        {"TypeThatIsNotAllowed", Option(kProfileFlag, "gpu2.small"), "for this account"},
        {"UnknownImage", Option(kImageFlag, "beos"), "debian-12"},
        {"RetiredImage", Option(kImageFlag, "ubuntu-14.04"), "newest Ubuntu LTS"},
        {"RetiredLongName", Option(kImageFlag, "Linux Ubuntu 16.04 LTS 64-bit"), "is gone"},
        {"DiskTooSmall", Option(kImageFlag, "Windows Server 2022"), "at least 100 GB"},
        {"UnknownKey", Option(kKeyNameFlag, "nokey"), "--exoscale-key-name"},
        {"UnknownNetwork", Option(kPrivateNetworkFlag, "nonet"), "private network in zone"},
        {"RetiredEndpoint", Option(kUrlFlag, "https://api.exoscale.ch/compute"),
         "has shut down; leave --exoscale-url"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct BadOptionCase {
  absl::string_view label;
  OptionValue option;
};
class BadOptionTest : public testing::TestWithParam<BadOptionCase> {};
TEST_P(BadOptionTest, IsRefusedByName) {
  const ExoscaleDriver driver;
  const auto options = MakeOptions(
      driver, {SecretOption(kKeyFlag, "k"), SecretOption(kSecretFlag, "s"), GetParam().option});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("--exoscale-"));
}
INSTANTIATE_TEST_SUITE_P(Options, BadOptionTest,
                         testing::ValuesIn<BadOptionCase>({
                             {"SecretWithALineEnd", SecretOption(kSecretFlag, "abc\nX-Evil: 1")},
                             {"KeyWithAComma", SecretOption(kKeyFlag, "abc,expires=9")},
                             {"PlainHttp", Option(kUrlFlag, "http://api.example.com")},
                             {"ZoneThatIsAHost", Option(kZoneFlag, "evil.example.com/")},
                             {"LabelWithoutValue", Option("exoscale-label", Strings{"team"})},
                             {"BadCidr", Option(kOpenCidrFlag, Strings{"everybody"})},
                             {"SmallDisk", Option(kDiskFlag, int64_t{5})},
                             {"PrivateWithoutNetwork", BoolOption(kPrivateOnlyFlag, true)},
                             {"TooMuchUserData",
                              Option("exoscale-userdata-text", std::string(30'000, 'x'))},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(ExoscaleDriverTest, BatchInspectReadsEachZoneOnce) {
  fake_.AddInstances(250);
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
  // One list, and another look for the one that is missing.
  EXPECT_EQ(fake_.CountOf(""), 2);
}

TEST(ShortNameTest, IsWhatTheOriginalTook) {
  EXPECT_EQ(ShortNameOf("Linux Ubuntu 24.04 LTS 64-bit"), "ubuntu-24.04");
  EXPECT_EQ(ShortNameOf("Linux Debian 12 (Bookworm) 64-bit"), "debian-12");
  EXPECT_EQ(ShortNameOf("Rocky Linux 9"), "rocky-linux-9");
  EXPECT_EQ(ShortNameOf("Linux"), "");
}

TEST(FlagsTest, TakeTheMisspeltVariableOfTheFirstRelease) {
  const Flags flags = ExoscaleFlags();
  for (const machine::v1::FlagSpec& flag : flags.specs()) {
    if (flag.name() != kImageFlag) continue;
    EXPECT_THAT(std::vector<std::string>(flag.env_vars().begin(), flag.env_vars().end()),
                ElementsAre("EXOSCALE_IMAGE", "EXSOCALE_IMAGE"));
  }
}

}  // namespace
}  // namespace machine::driver::exoscale
