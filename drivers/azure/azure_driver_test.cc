#include "drivers/azure/azure_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/azure/settings.h"
#include "drivers/azure/test_azure.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

using fakes::FakeAzure;
using fakes::Fault;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kNic[] =
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/"
    "Microsoft.Network/networkInterfaces/{name}";
constexpr Fault::Kind kAfter = Fault::Kind::kStatusAfterEffect;

// Of a machine whose group, or virtual machine alone, is deleted.
std::vector<FaultRow> RemoveFaultsOf(const std::string& remove) {
  using Kind = Fault::Kind;
  return {
      {"LostReply", {.kind = Kind::kLoseReply, .route = remove}},
      {"DeletedBut500", {.kind = kAfter, .route = remove}},
      {"DeletedButDownForLong", {.kind = kAfter, .route = remove, .times = 5}},
      {"Throttled", {.kind = Kind::kThrottle, .route = remove, .times = 2}},
      {"PollFails",
       {.kind = Kind::kStatus, .route = "GET /subscriptions/{subscription}/results/{operation}"}},
  };
}

class AzureUnderTest final : public AzureCloud {
 public:
  static std::vector<FaultRow> Faults() {
    using Kind = Fault::Kind;
    const std::string create = Route("PUT", kVm);
    return Joined(
        CommonFaults({.create = create,
                      .list = "",
                      .poll = Route("GET", kOperation),
                      .read = Route("GET", kVm)}),
        {
            {"CreateDownForLong", {.kind = Kind::kStatus, .route = create, .times = 8}},
            {"Create500ButMadeForLong", {.kind = kAfter, .route = create, .times = 5}, 4},
            {"OperationUnknownAtFirst",
             {.kind = Kind::kStatus, .route = Route("GET", kOperation), .times = 2, .status = 404}},
            {"LostGroupReply", {.kind = Kind::kLoseReply, .route = Route("PUT", kGroup)}},
            {"Group500ForLong", {.kind = kAfter, .route = Route("PUT", kGroup), .times = 5}, 2},
            {"GroupUnknownToNetworks",
             {.kind = Kind::kStatus, .route = Route("PUT", kNic), .times = 2, .status = 404}},
            {"LostInterfaceReply", {.kind = Kind::kLoseReply, .route = Route("PUT", kNic)}},
            {"InterfaceBusy",
             {.kind = Kind::kStatus, .route = Route("PUT", kNic), .times = 2, .status = 503}},
            {"LaterLook500", {.kind = Kind::kStatus, .route = Route("GET", kVm), .after = 2}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() { return RemoveFaultsOf(Route("DELETE", kGroup)); }
  static std::vector<StateRow> States() {
    return {
        {"starting", machine::v1::MACHINE_STATE_STARTING, "Updating"},
        {"running", machine::v1::MACHINE_STATE_RUNNING, "Succeeded"},
        {"running", machine::v1::MACHINE_STATE_RUNNING, "Failed"},
        {"stopping", machine::v1::MACHINE_STATE_STOPPING, "Updating"},
        {"stopped", machine::v1::MACHINE_STATE_STOPPED, "Succeeded"},
        {"deallocating", machine::v1::MACHINE_STATE_STOPPING, "Updating"},
        {"deallocated", machine::v1::MACHINE_STATE_STOPPED, "Succeeded"},
        {"unknown", machine::v1::MACHINE_STATE_UNSPECIFIED, "Succeeded"},
        {"", machine::v1::MACHINE_STATE_STARTING, "Creating"},
        {"", machine::v1::MACHINE_STATE_ERROR, "Failed"},
        {"", machine::v1::MACHINE_STATE_UNSPECIFIED, "Succeeded"},
        {"running", machine::v1::MACHINE_STATE_REMOVING, "Deleting"},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {{"Empty", ""}, {"NoObject", "[]"}, {"NoName", R"({"ResourceGroup": "g"})"}};
  }
};
INSTANTIATE_CLOUD_SUITE(AzureUnderTest);

class AzureDriverTest : public AzureTest {};

TEST_F(AzureDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("the whole internet")));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(made->instance_id(), "dev-one-0f8fad5b");
  const nlohmann::json asked = fake_.LastPut("virtualMachines");
  EXPECT_EQ(asked["location"], "westus");
  EXPECT_EQ(asked["tags"], nlohmann::json({{"docker-machine", "yes"},
                                           {"machine-uid", kTestUid},
                                           {"machine-orchestrator", kTestOrchestrator.data()}}));
  const nlohmann::json& properties = asked["properties"];
  EXPECT_EQ(properties["hardwareProfile"]["vmSize"], "Standard_B1s");
  EXPECT_EQ(properties["storageProfile"]["imageReference"],
            nlohmann::json({{"publisher", "Canonical"},
                            {"offer", "ubuntu-24_04-lts"},
                            {"sku", "server"},
                            {"version", "24.04.202611010"}}));
  const nlohmann::json& os = properties["osProfile"];
  EXPECT_EQ(os["computerName"], "dev-one");
  EXPECT_EQ(os["adminUsername"], "ubuntu");
  EXPECT_EQ(os["linuxConfiguration"]["disablePasswordAuthentication"], true);
  EXPECT_EQ(os["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"], kTestKey.data());
  const nlohmann::json address = fake_.LastPut("publicIPAddresses");
  EXPECT_EQ(address["sku"]["name"], "Standard");
  EXPECT_EQ(address["tags"], asked["tags"]);
  EXPECT_EQ(
      fake_.LastPut(
          "virtualNetworks")["properties"]["subnets"][0]["properties"]["defaultOutboundAccess"],
      false);
  const nlohmann::json rules =
      fake_.LastPut("networkSecurityGroups")["properties"]["securityRules"];
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_EQ(rules[0]["properties"]["destinationPortRange"], "22");
  EXPECT_EQ(rules[1]["properties"]["destinationPortRange"], "2376");
  EXPECT_EQ(rules[2]["properties"]["destinationPortRange"], "3376");
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_THAT(endpoint.ip_addresses(0), HasSubstr("198.51.100."));
  EXPECT_EQ(endpoint.ssh_host(), endpoint.ip_addresses(0));
  EXPECT_EQ(endpoint.ssh_user(), "ubuntu");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_THAT(fake_.GroupNames(), ElementsAre(UidTag(kTestUid)));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(AzureDriverTest, CreatesWithEveryOption) {
  using List = std::vector<std::string>;
  fake_.AddGroup("shared", "westus");
  fake_.AddNetwork("hub", "corp", "machines");
  MachineSpec machine = Machine({
      Option(kLocationFlag, "West US"),
      Option(kSizeFlag, "Small"),
      Option(kImageFlag, "Canonical:ubuntu-22_04-lts:server:latest"),
      Option(kUsernameFlag, "ops"),
      SecretOption(kPasswordFlag, "correct-Horse-7"),
      Option("azure-ssh-port", 2222),
      Option("azure-docker-port", 2377),
      Option(kGroupFlag, "shared"),
      Option(kNetworkFlag, "hub:corp"),
      Option(kSubnetFlag, "machines"),
      Option(kPrivateIpFlag, "192.168.0.77"),
      BoolOption("azure-use-private-ip", true),
      Option(kDnsFlag, "dev-one"),
      Option(kZoneFlag, "2"),
      Option(kDiskTypeFlag, "Premium_LRS"),
      Option(kDiskSizeFlag, 64),
      Option("azure-custom-data-text", "#cloud-config\n"),
      Option("azure-tags", List{"team=red,env=prod", "empty="}),
      Option(kOpenCidrFlag, List{"203.0.113.0/24", "198.51.100.7/32"}),
      Option("azure-open-port", List{"8080", "53/udp"}),
  });
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("Small is of classic deployments")));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastPut("virtualMachines");
  EXPECT_EQ(asked["zones"], nlohmann::json::array({"2"}));
  EXPECT_EQ(asked["tags"]["env"], "prod");
  EXPECT_EQ(asked["tags"]["empty"], "");
  const nlohmann::json& properties = asked["properties"];
  EXPECT_EQ(properties["hardwareProfile"]["vmSize"], "Standard_B1ms");
  EXPECT_EQ(properties["storageProfile"]["osDisk"]["diskSizeGB"], 64);
  EXPECT_EQ(properties["storageProfile"]["osDisk"]["managedDisk"]["storageAccountType"],
            "Premium_LRS");
  EXPECT_EQ(properties["storageProfile"]["imageReference"]["version"], "22.04.202611010");
  EXPECT_EQ(properties["osProfile"]["adminPassword"], "correct-Horse-7");
  EXPECT_EQ(properties["osProfile"]["customData"], absl::Base64Escape("#cloud-config\n"));
  EXPECT_EQ(properties["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"], false);
  EXPECT_EQ(fake_.LastPut("publicIPAddresses")["properties"]["dnsSettings"]["domainNameLabel"],
            "dev-one");
  const nlohmann::json interface =
      fake_.LastPut("networkInterfaces")["properties"]["ipConfigurations"][0]["properties"];
  EXPECT_EQ(interface["privateIPAddress"], "192.168.0.77");
  EXPECT_THAT(interface["subnet"]["id"].get<std::string>(),
              HasSubstr("/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/corp/"
                        "subnets/machines"));
  EXPECT_EQ(fake_.LastPut("networkSecurityGroups")["properties"]["securityRules"].size(), 10u);
  EXPECT_EQ(made->endpoint().ip_addresses(0), "192.168.0.77");
  EXPECT_EQ(made->endpoint().ssh_port(), 2222);
  EXPECT_EQ(made->endpoint().docker_url(), "tcp://192.168.0.77:2377");
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.GroupNames(), ElementsAre("shared"));
  EXPECT_THAT(fake_.ResourceNames(), ElementsAre("hub/virtualnetworks/corp"));
}

TEST_F(AzureDriverTest, AMachineNeedsNoPublicAddressAndNoOpenPort) {
  fake_.AddNetwork("hub", "corp", "machines");
  MachineSpec machine = Machine({BoolOption(kNoPublicIpFlag, true),
                                 Option(kNetworkFlag, "hub:corp"), Option(kSubnetFlag, "machines"),
                                 Option(kOpenCidrFlag, std::vector<std::string>{"none"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  EXPECT_THAT(record_.log, IsEmpty());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(fake_.LastPut("publicIPAddresses").is_null());
  EXPECT_EQ(fake_.LastPut("networkSecurityGroups")["properties"]["securityRules"].size(), 0u);
  ASSERT_EQ(made->endpoint().ip_addresses_size(), 1);
  EXPECT_THAT(made->endpoint().ssh_host(), HasSubstr("192.168.0."));
}

TEST_F(AzureDriverTest, AnArmSizeGetsAnArmImage) {
  MachineSpec machine = Machine({Option(kSizeFlag, "Standard_D2ps_v5")});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
}

TEST_F(AzureDriverTest, InTheUsersGroupOnlyWhatIsOursIsDeleted) {
  fake_.AddGroup("shared", "westus");
  fake_.AddForeign("shared", "networkInterfaces", "mine");
  MachineSpec machine = Machine({Option(kGroupFlag, "shared")});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.ResourceNames().size(), 7u);
  machine.state.reset();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ResourceNames(), ElementsAre("shared/networkinterfaces/mine"));
  EXPECT_THAT(fake_.GroupNames(), ElementsAre("shared"));
  // One of the same name that is not ours is neither taken nor deleted.
  fake_.AddForeign("shared", "networkInterfaces", absl::StrCat(UidTag(kTestUid), "-nic"));
  const auto made = Create(machine);
  EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_EQ(fake_.ResourceNames().size(), 2u);
}

TEST_F(AzureDriverTest, ANewSubscriptionIsRegisteredFirst) {
  fake_.Unregister("Microsoft.Compute");
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.CountOf("POST /subscriptions/{subscription}/providers/{provider}/register"), 1);
}

// In the user's group only the parts go.
class SharedGroupFaultTest : public AzureDriverTest,
                             public testing::WithParamInterface<FaultRow> {};
TEST_P(SharedGroupFaultTest, LeavesNothing) {
  fake_.AddGroup("shared", "westus");
  MachineSpec machine = Machine({Option(kGroupFlag, "shared")});
  ASSERT_TRUE(Create(machine).ok());
  fake_.Order(GetParam().fault);
  absl::Status removed = driver_.Remove(*Call(), machine);
  for (int i = 0; i < 3 && IsTransient(removed); ++i) removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_THAT(fake_.ResourceNames(), IsEmpty());
  EXPECT_THAT(fake_.GroupNames(), ElementsAre("shared"));
}
INSTANTIATE_TEST_SUITE_P(Faults, SharedGroupFaultTest,
                         testing::ValuesIn(RemoveFaultsOf(Route("DELETE", kVm))),
                         [](const auto& info) { return info.param.label; });

TEST_F(AzureDriverTest, AFailedMachineIsToldAndMadeByTheNextAttempt) {
  fake_.FailNextMachine("AllocationFailed", "We do not have sufficient capacity.");
  MachineSpec machine = Machine();
  const auto failed = Create(machine);
  EXPECT_EQ(common::ReasonOf(failed.status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("sufficient capacity"));
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_ERROR);
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.MachineNames().size(), 1u);
}

TEST_F(AzureDriverTest, TheTokenIsNotSentToAnotherHost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.MisleadNext();
  const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
  EXPECT_THAT(std::string(stopped.status().message()), HasSubstr("another host"));
}

TEST_F(AzureDriverTest, AMachineOfOtherOptionsIsNotTaken) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  MachineSpec other = Machine({Option(kSizeFlag, "Standard_B2s")});
  EXPECT_EQ(common::ReasonOf(driver_.Create(*Call(), other).status()),
            machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
  EXPECT_EQ(fake_.MachineNames().size(), 1u);
}

TEST_F(AzureDriverTest, PowerIsAGoal) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  for (int i = 0; i < 2; ++i) {
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
  }
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/deallocate"))), 1);
  for (int i = 0; i < 2; ++i) {
    const auto started = driver_.Start(*Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
  }
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/start"))), 1);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/restart"))), 1);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/powerOff"))), 1);
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/deallocate"))), 2);
  // One that was shut down from within is off, and costs as much as before until it is stopped.
  fake_.SetPower(kTestUid, "stopped");
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Stop(*Call(), machine, std::nullopt).ok());
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/deallocate"))), 3);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(AzureDriverTest, AGuestThatDoesNotObeyIsNotPoweredOffByStop) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPace(1'000'000);
  EXPECT_FALSE(driver_.Stop(*Call(), machine, absl::Milliseconds(30)).ok());
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/powerOff"))), 0);
}

TEST_F(AzureDriverTest, AnImportedMachineIsFoundByItsNameAndRemovedWithItsParts) {
  fake_.AddGroup("docker-machine", "westus");
  fake_.AddNetwork("docker-machine", "docker-machine-vnet", "docker-machine");
  fake_.AddForeign("docker-machine", "virtualMachines", "old");
  fake_.AddForeign("docker-machine", "networkSecurityGroups", "old-firewall");
  fake_.AddForeign("docker-machine", "publicIPAddresses", "old-ip");
  fake_.AddForeign("docker-machine", "networkInterfaces", "old-nic");
  MachineSpec machine = Machine({Option(kGroupFlag, "docker-machine")});
  machine.state_version = kImportedStateVersion;
  machine.state = R"({"MachineName": "old", "ResourceGroup": "docker-machine"})";
  const auto upgraded = driver_.UpgradeState(*Call(), machine);
  ASSERT_TRUE(upgraded.ok()) << upgraded.status();
  machine.state = *upgraded;
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_UNSPECIFIED);
  EXPECT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ResourceNames(),
              ElementsAre("docker-machine/virtualnetworks/docker-machine-vnet"));
  machine.state = R"({"SubscriptionID": "classic", "MachineName": "old"})";
  EXPECT_EQ(common::ReasonOf(driver_.UpgradeState(*Call(), machine).status()),
            machine::v1::ERROR_REASON_INSTANCE_GONE);
}

TEST_F(AzureDriverTest, EveryRequestFitsThePublishedDescription) {
  if (!fake_.checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no azure descriptions";
  // The fake fails the test at the first request that does not fit.
  fake_.AddGroup("shared", "westus");
  for (const char* const group : {"", "shared"}) {
    MachineSpec machine = Machine({Option(kGroupFlag, group)});
    EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
    ASSERT_TRUE(Create(machine).ok());
    EXPECT_TRUE(driver_.Stop(*Call(), machine, std::nullopt).ok());
    EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
    EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
    EXPECT_TRUE(driver_.ListInstances(*Call(), kTestOrchestrator, machine.options).ok());
    EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  }
  EXPECT_GT(fake_.CountOf(""), 50);
}

}  // namespace
}  // namespace machine::driver::azure
