#include "drivers/openstack/openstack_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/openstack/test_openstack.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

using fakes::FakeOpenStack;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OpenStackUnderTest final : public OpenStackCloud {
 public:
  static std::vector<FaultRow> Faults() {
    using Kind = Fault::Kind;
    return Joined(
        CommonFaults({.create = kCreate,
                      .list = kList,
                      .poll = "GET /compute/v2.1/servers/{id}",
                      .read = kList}),
        {
            {"ThrottledWith429", {.kind = Kind::kStatus, .route = kCreate, .status = 429}},
            {"Create503", {.kind = Kind::kStatus, .route = kCreate, .status = 503}},
            {"LostKeyReply", {.kind = Kind::kLoseReply, .route = "POST /compute/v2.1/os-keypairs"}},
            {"LostPortReply", {.kind = Kind::kLoseReply, .route = "POST /networking/v2.0/ports"}},
            {"LostGroupReply",
             {.kind = Kind::kLoseReply, .route = "POST /networking/v2.0/security-groups"}},
            {"LostRuleReply",
             {.kind = Kind::kLoseReply, .route = "POST /networking/v2.0/security-group-rules"}},
            {"LostFloatingReply",
             {.kind = Kind::kLoseReply, .route = "POST /networking/v2.0/floatingips"}},
            {"LostVolumeReply", {.kind = Kind::kLoseReply, .route = "POST /volume/v3/volumes"}},
            {"SignIn503", {.kind = Kind::kStatus, .route = kSignIn, .status = 503}},
            {"TokenRefused", {.kind = Kind::kStatus, .route = kCreate, .status = 401}},
            {"VersionsFail", {.kind = Kind::kStatus, .route = "GET /compute/v2.1/"}},
            {"Images500", {.kind = Kind::kStatus, .route = "GET /image/v2/images"}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults("DELETE /compute/v2.1/servers/{id}", kList);
  }
  static std::vector<StateRow> States() {
    return {
        {"ACTIVE", machine::v1::MACHINE_STATE_RUNNING, ""},
        {"BUILD", machine::v1::MACHINE_STATE_STARTING, "spawning"},
        {"REBUILD", machine::v1::MACHINE_STATE_STARTING, ""},
        {"REBOOT", machine::v1::MACHINE_STATE_STARTING, "rebooting"},
        {"REBOOT", machine::v1::MACHINE_STATE_STARTING, "reboot_pending"},
        {"REBOOT", machine::v1::MACHINE_STATE_STARTING, "reboot_started"},
        {"HARD_REBOOT", machine::v1::MACHINE_STATE_STARTING, "rebooting_hard"},
        {"PASSWORD", machine::v1::MACHINE_STATE_RUNNING, ""},
        {"MIGRATING", machine::v1::MACHINE_STATE_RUNNING, "migrating"},
        {"RESIZE", machine::v1::MACHINE_STATE_STOPPING, ""},
        {"VERIFY_RESIZE", machine::v1::MACHINE_STATE_RUNNING, ""},
        {"REVERT_RESIZE", machine::v1::MACHINE_STATE_STARTING, ""},
        {"RESCUE", machine::v1::MACHINE_STATE_ERROR, ""},
        {"PAUSED", machine::v1::MACHINE_STATE_PAUSED, ""},
        {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED, ""},
        {"SHUTOFF", machine::v1::MACHINE_STATE_STOPPED, ""},
        {"SHELVED", machine::v1::MACHINE_STATE_STOPPED, ""},
        {"SHELVED_OFFLOADED", machine::v1::MACHINE_STATE_STOPPED, ""},
        {"ERROR", machine::v1::MACHINE_STATE_ERROR, ""},
        {"DELETED", machine::v1::MACHINE_STATE_REMOVING, ""},
        {"SOFT_DELETED", machine::v1::MACHINE_STATE_REMOVING, ""},
        {"ACTIVE", machine::v1::MACHINE_STATE_STOPPING, "powering-off"},
        {"ACTIVE", machine::v1::MACHINE_STATE_STOPPING, "suspending"},
        {"ACTIVE", machine::v1::MACHINE_STATE_STOPPING, "shelving"},
        {"SHUTOFF", machine::v1::MACHINE_STATE_STARTING, "powering-on"},
        {"SUSPENDED", machine::v1::MACHINE_STATE_STARTING, "resuming"},
        {"SHELVED", machine::v1::MACHINE_STATE_STARTING, "unshelving"},
        {"ACTIVE", machine::v1::MACHINE_STATE_REMOVING, "deleting"},
        {"UNKNOWN", machine::v1::MACHINE_STATE_UNSPECIFIED, ""},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {{"Empty", ""}, {"NoObject", "[]"}, {"NoId", R"({"MachineId": ""})"}};
  }
};
INSTANTIATE_CLOUD_SUITE(OpenStackUnderTest);

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
  EXPECT_EQ(asked["key_name"], UidTag(kTestUid));
  EXPECT_EQ(asked["metadata"]["machine-uid"], kTestUid);
  EXPECT_EQ(asked["tags"], nlohmann::json({UidTag(kTestUid), "docker-machine",
                                           OrchestratorTag(kTestOrchestrator)}));
  EXPECT_EQ(fake_.LastMicroversion(), "2.67");
  EXPECT_EQ(fake_.LastPort()["network_id"], FakeOpenStack::kPrivateNetwork);
  EXPECT_EQ(fake_.LastPort()["name"], UidTag(kTestUid));
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
  EXPECT_THAT(fake_.VolumeNames(), ElementsAre(UidTag(kTestUid)));
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
    OpenStackDriver driver(FastTiming<Timing>());
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

TEST_F(OpenStackTest, AQuotaIsToldInTheCloudsWords) {
  fake_.SetServerLimit(0);
  MachineSpec machine = Machine();
  EXPECT_THAT(std::string(Create(machine).status().message()),
              HasSubstr("Quota exceeded for instances"));
}

TEST_F(OpenStackTest, StartAndStopLeaveEveryRestingState) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  for (const char* const status : {"PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"}) {
    fake_.SetStatus(kTestUid, status);
    const auto started = driver_.Start(*Call(), machine);
    EXPECT_TRUE(started.ok()) << status << ": " << started.status();
  }
  for (const char* const status : {"PAUSED", "SUSPENDED", "ERROR"}) {
    fake_.SetStatus(kTestUid, status);
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    EXPECT_TRUE(stopped.ok()) << status << ": " << stopped.status();
  }
  fake_.SetStatus(kTestUid, "ERROR");
  EXPECT_EQ(driver_.Start(*Call(), machine).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(OpenStackTest, VerbsOfAServerThatIsGoneSaySo) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.DestroyServers(kTestUid);
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

}  // namespace
}  // namespace machine::driver::openstack
