#include "drivers/openstack/openstack_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "drivers/openstack/test_openstack.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

using fakes::FakeOpenStack;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kCreate[] = "POST /compute/v2.1/servers";
constexpr char kList[] = "GET /compute/v2.1/servers/detail";
constexpr char kAct[] = "POST /compute/v2.1/servers/{id}/action";

TEST_F(OpenStackTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["name"], "dev-one");
  EXPECT_EQ(asked["imageRef"], FakeOpenStack::kUbuntuImage);
  EXPECT_EQ(asked["flavorRef"], "d1");
  EXPECT_EQ(asked["key_name"], UidTag(kUid));
  EXPECT_EQ(asked["metadata"]["machine-uid"], kUid);
  EXPECT_EQ(asked["tags"],
            nlohmann::json({UidTag(kUid), "docker-machine", OrchestratorTag(kTestOrchestrator)}));
  EXPECT_EQ(fake_.LastMicroversion(), "2.67");
  EXPECT_EQ(fake_.LastPort()["network_id"], FakeOpenStack::kPrivateNetwork);
  EXPECT_EQ(fake_.LastPort()["name"], UidTag(kUid));
  ASSERT_EQ(fake_.GroupNames().size(), 1u);
  EXPECT_THAT(fake_.RulesOf(fake_.GroupNames()[0]),
              ElementsAre("tcp 22 0.0.0.0/0", "tcp 2376 0.0.0.0/0", "tcp 3376 0.0.0.0/0"));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ip_addresses(0).substr(0, 7), "10.0.0.") << "not the one of version 6";
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(OpenStackTest, CreatesWithEveryOption) {
  fake_.AddKeyPair("mine", std::string(kTestKey));
  const std::string web = fake_.AddGroup("web");
  MachineSpec machine = Machine(
      {Option("openstack-image-name", "cirros-0.6.2-x86_64-disk"),
       Option("openstack-flavor-name", "m1.small"), Option("openstack-net-name", "shared"),
       Option("openstack-sec-groups", "web, default"), Option("openstack-keypair-name", "mine"),
       Option("openstack-open-cidr", std::vector<std::string>{"203.0.113.0/24"}),
       Option("openstack-floatingip-pool", "public"), Option("openstack-availability-zone", "nova"),
       BoolOption("openstack-config-drive", true), Option("openstack-ssh-user", "cirros"),
       Option("openstack-ssh-port", 2222), Option("openstack-user-data", "#!/bin/sh\n"),
       Option("openstack-metadata", std::vector<std::string>{"env=prod, team=a b", "x=y=z"})});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["flavorRef"], "2");
  EXPECT_EQ(asked["key_name"], "mine");
  EXPECT_EQ(asked["availability_zone"], "nova");
  EXPECT_EQ(asked["config_drive"], true);
  EXPECT_EQ(asked["user_data"], "IyEvYmluL3NoCg==");
  EXPECT_EQ(asked["metadata"]["team"], "a b");
  EXPECT_EQ(asked["metadata"]["x"], "y=z");
  EXPECT_EQ(fake_.LastPort()["security_groups"].size(), 3);
  EXPECT_EQ(fake_.LastPort()["security_groups"][0], web);
  ASSERT_EQ(fake_.FloatingIps().size(), 1u);
  EXPECT_EQ(made->endpoint().ip_addresses(0), fake_.FloatingIps()[0]);
  EXPECT_EQ(made->endpoint().ssh_port(), 2222);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyPairNames(), ElementsAre("mine"));
  EXPECT_THAT(fake_.GroupNames(), ElementsAre("web"));
  EXPECT_THAT(fake_.FloatingIps(), IsEmpty());
}

TEST_F(OpenStackTest, BootsFromAVolumeThatGoesWithIt) {
  MachineSpec machine =
      Machine({BoolOption("openstack-boot-from-volume", true), Option("openstack-volume-size", 30),
               Option("openstack-volume-type", "lvmdriver-1")});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.LastVolume()["size"], 30);
  EXPECT_EQ(fake_.LastVolume()["imageRef"], FakeOpenStack::kUbuntuImage);
  EXPECT_FALSE(fake_.LastCreate().contains("imageRef"));
  EXPECT_THAT(fake_.VolumeNames(), ElementsAre(UidTag(kUid)));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(OpenStackTest, AFreeFloatingIpIsUsedAndStays) {
  fake_.AddFreeFloatingIp("172.24.4.99");
  MachineSpec machine = Machine({Option("openstack-floatingip-pool", "public")});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->endpoint().ip_addresses(0), "172.24.4.99");
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.FloatingIps(), ElementsAre("172.24.4.99"));
}

TEST_F(OpenStackTest, AFreeFloatingIpIsTakenOnceThoughTheAnswerIsLost) {
  fake_.AddFreeFloatingIp("172.24.4.99");
  fake_.AddFreeFloatingIp("172.24.4.98");
  fake_.Order(
      {.kind = Fault::Kind::kStatusAfterEffect, .route = "PUT /networking/v2.0/floatingips/{id}"});
  MachineSpec machine = Machine({Option("openstack-floatingip-pool", "public")});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->endpoint().ip_addresses(0), "172.24.4.99");
  EXPECT_EQ(fake_.FloatingIps().size(), 2u);
}

TEST_F(OpenStackTest, AnAddressThatIsTakenMeanwhileIsNotStolen) {
  fake_.AddFreeFloatingIp("172.24.4.99");
  fake_.Order({.kind = Fault::Kind::kStatus,
               .route = "PUT /networking/v2.0/floatingips/{id}",
               .status = 412});
  MachineSpec machine = Machine({Option("openstack-floatingip-pool", "public")});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(made->endpoint().ip_addresses(0), "172.24.4.99");
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.FloatingIps(), ElementsAre("172.24.4.99"));
}

TEST_F(OpenStackTest, ASecurityGroupGoesWithItsLastMachine) {
  constexpr char kOther[] = "99999999-d9cb-469f-a165-70867728950e";
  MachineSpec one = Machine();
  ASSERT_TRUE(Create(one).ok());
  MachineSpec two = Machine({}, kOther);
  two.ssh_public_key.clear();
  ASSERT_TRUE(driver_.Create(*MakeCall(kOther, record_), two).ok());
  EXPECT_EQ(fake_.GroupNames().size(), 1u);
  EXPECT_TRUE(driver_.Remove(*Call(), one).ok());
  EXPECT_EQ(fake_.GroupNames().size(), 1u);
  EXPECT_TRUE(driver_.Remove(*MakeCall(kOther, record_), two).ok());
  EXPECT_THAT(fake_.GroupNames(), IsEmpty());
}

TEST_F(OpenStackTest, ANetworkWithoutPortSecurityGetsNoGroups) {
  MachineSpec machine = Machine({Option("openstack-net-name", "open")});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_FALSE(fake_.LastPort().contains("security_groups"));
}

TEST_F(OpenStackTest, OldCloudsGetNoNewFields) {
  for (const char* const version : {"", "2.1", "2.25", "2.40", "2.53"}) {
    fake_.SetMicroversion(version);
    OpenStackDriver driver(FastTiming());
    ASSERT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
    MachineSpec machine = Machine();
    const auto made = driver.Create(*Call(), machine);
    ASSERT_TRUE(made.ok()) << version << ": " << made.status();
    EXPECT_EQ(fake_.LastMicroversion(), std::string(version) == "2.1" ? "2.1" : version);
    EXPECT_EQ(fake_.LastCreate().contains("tags"), std::string(version) == "2.53");
    const auto batch = driver.BatchInspect(*Call(), {machine});
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->front().state(), machine::v1::MACHINE_STATE_RUNNING);
    EXPECT_TRUE(driver.Remove(*Call(), machine).ok());
    ExpectNothingLeft();
  }
}

// Whatever goes wrong on the way, a create that is tried again ends with one server, and a remove
// with nothing.
struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public OpenStackTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneServerAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine({BoolOption("openstack-boot-from-volume", true),
                                 Option("openstack-floatingip-pool", "public")});
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.ServerNames().size(), 1u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(made->endpoint().ip_addresses(0).substr(0, 9), "172.24.4.");
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledCreate", {.kind = Fault::Kind::kThrottle, .route = kCreate}},
        {"ThrottledEverywhere", {.kind = Fault::Kind::kThrottle, .times = 3}},
        {"ThrottledWith429", {.kind = Fault::Kind::kStatus, .route = kCreate, .status = 429}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = kCreate}},
        {"Create503", {.kind = Fault::Kind::kStatus, .route = kCreate, .status = 503}},
        {"Create500ButMade", {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate}},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = kCreate}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = kCreate}, 4},
        {"GarbageCreate", {.kind = Fault::Kind::kGarbage, .route = kCreate}},
        {"UnseenForAWhile", {.kind = Fault::Kind::kGarbage, .route = kList}, 5},
        {"List500", {.kind = Fault::Kind::kStatus, .route = kList, .times = 2}},
        {"PollsFail",
         {.kind = Fault::Kind::kStatus, .route = "GET /compute/v2.1/servers/{id}", .times = 7}},
        {"LostKeyReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST /compute/v2.1/os-keypairs"}},
        {"LostPortReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST /networking/v2.0/ports"}},
        {"LostGroupReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST /networking/v2.0/security-groups"}},
        {"LostRuleReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST /networking/v2.0/security-group-rules"}},
        {"LostFloatingReply",
         {.kind = Fault::Kind::kLoseReply, .route = "POST /networking/v2.0/floatingips"}},
        {"LostVolumeReply", {.kind = Fault::Kind::kLoseReply, .route = "POST /volume/v3/volumes"}},
        {"SignIn503",
         {.kind = Fault::Kind::kStatus, .route = "POST /identity/v3/auth/tokens", .status = 503}},
        {"TokenRefused", {.kind = Fault::Kind::kStatus, .route = kCreate, .status = 401}},
        {"VersionsFail", {.kind = Fault::Kind::kStatus, .route = "GET /compute/v2.1/"}},
        {"Images500", {.kind = Fault::Kind::kStatus, .route = "GET /image/v2/images"}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(OpenStackTest, ACreateThatDiedIsAdopted) {
  MachineSpec machine = Machine();
  fake_.Order({.kind = Fault::Kind::kLoseReply, .route = kCreate});
  fake_.Order(
      {.kind = Fault::Kind::kStatus, .route = kList, .after = 1, .times = 30, .status = 404});
  EXPECT_FALSE(Create(machine).ok());
  while (fake_.pending_faults() > 0) Create(machine).IgnoreError();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.CountOf(kCreate), 1);
  EXPECT_EQ(fake_.ServerNames().size(), 1u);
}

TEST_F(OpenStackTest, AnotherFlavorIsAnotherInstance) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  MachineSpec other = Machine({Option("openstack-flavor-name", "m1.small")});
  other.state = machine.state;
  const auto made = driver_.Create(*Call(), other);
  EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
}

TEST_F(OpenStackTest, AServerInErrorSaysWhyAndCanBeRemoved) {
  fake_.FailNextServer("No valid host was found. There are not enough hosts available.");
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("No valid host was found"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(OpenStackTest, AQuotaIsNotWaitedFor) {
  fake_.SetServerLimit(0);
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("Quota exceeded for instances"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(OpenStackTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  for (const Fault::Kind kind : {Fault::Kind::kLoseReply, Fault::Kind::kStatus,
                                 Fault::Kind::kStatusAfterEffect, Fault::Kind::kThrottle}) {
    fake_.Order({.kind = kind, .route = kAct});
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
    EXPECT_EQ(stopped->endpoint().docker_url(), "");
    fake_.Order({.kind = kind, .route = kAct});
    const auto started = driver_.Start(*Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
    fake_.Order({.kind = kind, .route = kAct});
    const auto restarted = driver_.Restart(*Call(), machine);
    ASSERT_TRUE(restarted.ok()) << restarted.status();
  }
}

TEST_F(OpenStackTest, StartAndStopLeaveEveryRestingState) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  for (const char* const status : {"PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"}) {
    fake_.SetStatus(kUid, status);
    const auto started = driver_.Start(*Call(), machine);
    EXPECT_TRUE(started.ok()) << status << ": " << started.status();
  }
  for (const char* const status : {"PAUSED", "SUSPENDED", "ERROR"}) {
    fake_.SetStatus(kUid, status);
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    EXPECT_TRUE(stopped.ok()) << status << ": " << stopped.status();
  }
  fake_.SetStatus(kUid, "ERROR");
  EXPECT_EQ(driver_.Start(*Call(), machine).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(OpenStackTest, AServerThatDoesNotStopSaysSo) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.IgnoreStop(true);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
}

TEST_F(OpenStackTest, VerbsOfAServerThatIsGoneSaySo) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.DestroyServers(kUid);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(common::ReasonOf(driver_.Start(*Call(), machine).status()),
            machine::v1::ERROR_REASON_INSTANCE_GONE);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
}

TEST_F(OpenStackTest, AnImportedServerIsKnownByItsIdAlone) {
  fake_.AddServers(1);
  fake_.AddKeyPair("dev-key", "ssh-rsa AAAA");
  MachineSpec machine = Machine();
  machine.state = absl::StrCat(R"({"MachineId": ")", fake_.Servers()[0]["id"].get<std::string>(),
                               R"(", "KeyPairName": "dev-key", "Password": "secret"})");
  machine.state_version = kImportedStateVersion;
  const auto state = driver_.UpgradeState(*Call(), machine);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_THAT(*state, testing::Not(HasSubstr("secret")));
  machine.state = *state;
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ServerNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyPairNames(), IsEmpty());
}

TEST_F(OpenStackTest, BatchInspectReadsEachAccountOnce) {
  fake_.AddServers(450);
  fake_.SetPageSize(200);
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 450; ++i) machines.push_back(Machine({}, absl::StrCat(i)));
  machines.push_back(Machine({}, "unknown"));
  ASSERT_TRUE(driver_.BatchInspect(*Call(), {machines[0]}).ok());
  fake_.ForgetRequests();
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 451u);
  for (int i = 0; i < 450; ++i) {
    EXPECT_EQ((*seen)[i].state(), machine::v1::MACHINE_STATE_RUNNING) << i;
  }
  EXPECT_EQ(seen->back().state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  // Three pages of 200, and another look for the one that is missing.
  EXPECT_EQ(fake_.CountOf(""), 4);
}

TEST_F(OpenStackTest, ListsWhatAnOrchestratorMade) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.AddServers(2);
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ((*listed)[0].machine_uid(), kUid);
}

struct StateCase {
  absl::string_view status;
  absl::string_view task;
  MachineState state;
};
class StateTest : public OpenStackTest, public testing::WithParamInterface<StateCase> {};
TEST_P(StateTest, IsOurs) {
  EXPECT_EQ(StateOfServer(GetParam().status, GetParam().task), GetParam().state);
  if (GetParam().status != "ACTIVE") return;
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetStatus(kUid, GetParam().status, GetParam().task);
  EXPECT_EQ(Inspect(machine), GetParam().state);
}
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"ACTIVE", "", machine::v1::MACHINE_STATE_RUNNING},
                             {"BUILD", "spawning", machine::v1::MACHINE_STATE_STARTING},
                             {"REBUILD", "", machine::v1::MACHINE_STATE_STARTING},
                             {"REBOOT", "rebooting", machine::v1::MACHINE_STATE_STARTING},
                             {"REBOOT", "reboot_pending", machine::v1::MACHINE_STATE_STARTING},
                             {"REBOOT", "reboot_started", machine::v1::MACHINE_STATE_STARTING},
                             {"HARD_REBOOT", "rebooting_hard", machine::v1::MACHINE_STATE_STARTING},
                             {"PASSWORD", "", machine::v1::MACHINE_STATE_RUNNING},
                             {"MIGRATING", "migrating", machine::v1::MACHINE_STATE_RUNNING},
                             {"RESIZE", "", machine::v1::MACHINE_STATE_STOPPING},
                             {"VERIFY_RESIZE", "", machine::v1::MACHINE_STATE_RUNNING},
                             {"REVERT_RESIZE", "", machine::v1::MACHINE_STATE_STARTING},
                             {"RESCUE", "", machine::v1::MACHINE_STATE_ERROR},
                             {"PAUSED", "", machine::v1::MACHINE_STATE_PAUSED},
                             {"SUSPENDED", "", machine::v1::MACHINE_STATE_SAVED},
                             {"SHUTOFF", "", machine::v1::MACHINE_STATE_STOPPED},
                             {"SHELVED", "", machine::v1::MACHINE_STATE_STOPPED},
                             {"SHELVED_OFFLOADED", "", machine::v1::MACHINE_STATE_STOPPED},
                             {"ERROR", "", machine::v1::MACHINE_STATE_ERROR},
                             {"DELETED", "", machine::v1::MACHINE_STATE_REMOVING},
                             {"SOFT_DELETED", "", machine::v1::MACHINE_STATE_REMOVING},
                             {"ACTIVE", "powering-off", machine::v1::MACHINE_STATE_STOPPING},
                             {"ACTIVE", "suspending", machine::v1::MACHINE_STATE_STOPPING},
                             {"ACTIVE", "shelving", machine::v1::MACHINE_STATE_STOPPING},
                             {"SHUTOFF", "powering-on", machine::v1::MACHINE_STATE_STARTING},
                             {"SUSPENDED", "resuming", machine::v1::MACHINE_STATE_STARTING},
                             {"SHELVED", "unshelving", machine::v1::MACHINE_STATE_STARTING},
                             {"ACTIVE", "deleting", machine::v1::MACHINE_STATE_REMOVING},
                             {"UNKNOWN", "", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }),
                         [](const auto& info) {
                           std::string name = absl::StrCat(info.param.status, info.param.task);
                           std::erase_if(name, [](char c) {
                             return !absl::ascii_isalnum(static_cast<unsigned char>(c));
                           });
                           return name;
                         });

}  // namespace
}  // namespace machine::driver::openstack
