#include "drivers/azure/azure_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/azure/settings.h"
#include "drivers/azure/test_azure.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

using fakes::FakeAzure;
using fakes::Fault;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kVm[] =
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/"
    "Microsoft.Compute/virtualMachines/{name}";
constexpr char kNic[] =
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/"
    "Microsoft.Network/networkInterfaces/{name}";
constexpr char kGroup[] = "/subscriptions/{subscription}/resourcegroups/{group}";
constexpr char kOperation[] = "/subscriptions/{subscription}/operations/{operation}";
constexpr char kList[] =
    "GET /subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines";

std::string Route(absl::string_view method, absl::string_view path) {
  return absl::StrCat(method, " ", path);
}

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
  MachineSpec machine = Machine(
      {BoolOption(kNoPublicIpFlag, true), Option(kOpenCidrFlag, std::vector<std::string>{"none"})});
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

// Whatever goes wrong on the way, a create that is tried again ends with one machine, and a remove
// with none.
struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public AzureDriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneMachineAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine();
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.MachineNames().size(), 1u);
  EXPECT_EQ(fake_.ResourceNames().size(), 6u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}
constexpr Fault::Kind kAfter = Fault::Kind::kStatusAfterEffect;
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledCreate", {.kind = Fault::Kind::kThrottle, .route = Route("PUT", kVm)}},
        {"ThrottledEverywhere", {.kind = Fault::Kind::kThrottle, .times = 3}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = Route("PUT", kVm)}},
        {"Create502", {.kind = Fault::Kind::kStatus, .route = Route("PUT", kVm), .status = 502}},
        {"CreateDownForLong",
         {.kind = Fault::Kind::kStatus, .route = Route("PUT", kVm), .times = 8}},
        {"Create500ButMade", {.kind = kAfter, .route = Route("PUT", kVm)}},
        {"Create500ButMadeAndUnseen", {.kind = kAfter, .route = Route("PUT", kVm)}, 4},
        {"Create500ButMadeForLong", {.kind = kAfter, .route = Route("PUT", kVm), .times = 5}, 4},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = Route("PUT", kVm)}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = Route("PUT", kVm)}, 4},
        {"GarbageCreate", {.kind = Fault::Kind::kGarbage, .route = Route("PUT", kVm)}},
        {"UnseenForAWhile", {.kind = Fault::Kind::kGarbage, .route = Route("GET", kVm)}, 5},
        {"PollsFail",
         {.kind = Fault::Kind::kStatus, .route = Route("GET", kOperation), .times = 7}},
        {"OperationUnknownAtFirst",
         {.kind = Fault::Kind::kStatus,
          .route = Route("GET", kOperation),
          .times = 2,
          .status = 404}},
        {"LostGroupReply", {.kind = Fault::Kind::kLoseReply, .route = Route("PUT", kGroup)}},
        {"Group500ForLong", {.kind = kAfter, .route = Route("PUT", kGroup), .times = 5}, 2},
        {"GroupUnknownToNetworks",
         {.kind = Fault::Kind::kStatus, .route = Route("PUT", kNic), .times = 2, .status = 404}},
        {"LostInterfaceReply", {.kind = Fault::Kind::kLoseReply, .route = Route("PUT", kNic)}},
        {"InterfaceBusy",
         {.kind = Fault::Kind::kStatus, .route = Route("PUT", kNic), .times = 2, .status = 503}},
        {"LaterLook500", {.kind = Fault::Kind::kStatus, .route = Route("GET", kVm), .after = 2}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

class RemoveFaultTest : public AzureDriverTest,
                        public testing::WithParamInterface<std::tuple<FaultCase, bool>> {};
TEST_P(RemoveFaultTest, LeavesNothing) {
  const auto& [fault_case, own_group] = GetParam();
  if (!own_group) fake_.AddGroup("shared", "westus");
  MachineSpec machine = own_group ? Machine() : Machine({Option(kGroupFlag, "shared")});
  ASSERT_TRUE(Create(machine).ok());
  Fault fault = fault_case.fault;
  if (fault.route == "delete") fault.route = Route("DELETE", own_group ? kGroup : kVm);
  fake_.Order(fault);
  absl::Status removed = driver_.Remove(*Call(), machine);
  for (int i = 0; i < 3 && IsTransient(removed); ++i) removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_THAT(fake_.ResourceNames(), IsEmpty());
  EXPECT_EQ(fake_.GroupNames().size(), own_group ? 0u : 1u);
}
INSTANTIATE_TEST_SUITE_P(
    Faults, RemoveFaultTest,
    testing::Combine(testing::ValuesIn<FaultCase>({
                         {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = "delete"}},
                         {"DeletedButDownForLong", {.kind = kAfter, .route = "delete", .times = 5}},
                         {"Throttled",
                          {.kind = Fault::Kind::kThrottle, .route = "delete", .times = 2}},
                         {"PollFails",
                          {.kind = Fault::Kind::kStatus,
                           .route = "GET /subscriptions/{subscription}/results/{operation}"}},
                     }),
                     testing::Bool()),
    [](const auto& info) {
      return absl::StrCat(std::get<0>(info.param).label,
                          std::get<1>(info.param) ? "OwnGroup" : "SharedGroup");
    });

TEST_F(AzureDriverTest, ACreateKilledAfterItsRequestIsAdopted) {
  MachineSpec machine = Machine();
  // The process dies: the call ends in the middle of waiting, and the machine does not show yet.
  fake_.SetLag(2);
  fake_.Order({.kind = Fault::Kind::kHold, .route = Route("GET", kOperation)});
  auto cancellation = std::make_shared<common::Cancellation>();
  std::thread killer([&] {
    while (fake_.CountOf(Route("GET", kOperation)) == 0) std::this_thread::yield();
    cancellation->Cancel();
  });
  const auto call = MakeCall(kTestUid, record_, absl::Minutes(2), cancellation);
  EXPECT_TRUE(absl::IsCancelled(driver_.Create(*call, machine).status()));
  killer.join();
  fake_.Release();
  machine.state = record_.checkpoints.back();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.MachineNames().size(), 1u);
  EXPECT_EQ(fake_.GroupNames().size(), 1u);
}

TEST_F(AzureDriverTest, RemoveWithoutStateFindsEverythingByUid) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  machine.state.reset();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
}

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

TEST_F(AzureDriverTest, AGuestThatDoesNotObeyIsNotKilledByStop) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPace(1'000'000);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(30));
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_EQ(fake_.CountOf(Route("POST", absl::StrCat(kVm, "/powerOff"))), 0);
}

struct StateCase {
  absl::string_view power;
  absl::string_view provisioning;
  MachineState state;
};
class StateTest : public AzureDriverTest, public testing::WithParamInterface<StateCase> {};
TEST_P(StateTest, IsOurs) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPower(kTestUid, GetParam().power);
  fake_.SetProvisioning(kTestUid, GetParam().provisioning);
  EXPECT_EQ(Inspect(machine), GetParam().state);
  const auto seen = driver_.BatchInspect(*Call(), {machine});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->front().state(), GetParam().state);
}
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"starting", "Updating", machine::v1::MACHINE_STATE_STARTING},
                             {"running", "Succeeded", machine::v1::MACHINE_STATE_RUNNING},
                             {"running", "Failed", machine::v1::MACHINE_STATE_RUNNING},
                             {"stopping", "Updating", machine::v1::MACHINE_STATE_STOPPING},
                             {"stopped", "Succeeded", machine::v1::MACHINE_STATE_STOPPED},
                             {"deallocating", "Updating", machine::v1::MACHINE_STATE_STOPPING},
                             {"deallocated", "Succeeded", machine::v1::MACHINE_STATE_STOPPED},
                             {"unknown", "Succeeded", machine::v1::MACHINE_STATE_UNSPECIFIED},
                             {"", "Creating", machine::v1::MACHINE_STATE_STARTING},
                             {"", "Failed", machine::v1::MACHINE_STATE_ERROR},
                             {"", "Succeeded", machine::v1::MACHINE_STATE_UNSPECIFIED},
                             {"running", "Deleting", machine::v1::MACHINE_STATE_REMOVING},
                         }),
                         [](const auto& info) {
                           return absl::StrCat("Power", info.param.power, info.param.provisioning);
                         });

TEST_F(AzureDriverTest, ABatchIsOneList) {
  std::vector<std::string> uids;
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 150; ++i) {
    uids.push_back(absl::StrCat(10'000'000 + i, "-0000-4000-8000-000000000000"));
    MachineSpec machine = Machine({}, uids.back());
    machine.name = "dev";
    State state;
    state.set_private_ip("192.168.0.4");
    machine.state = state.SerializeAsString();
    machines.push_back(machine);
  }
  fake_.AddMachines(uids);
  machines.push_back(Machine({}, "99999999-0000-4000-8000-000000000000"));
  fake_.ForgetRequests();
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  for (int i = 0; i < 150; ++i) {
    EXPECT_EQ((*seen)[i].state(), machine::v1::MACHINE_STATE_RUNNING);
    EXPECT_EQ((*seen)[i].endpoint().ssh_host(), "192.168.0.4");
  }
  EXPECT_EQ(seen->back().state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(fake_.CountOf(kList), 2);
  EXPECT_EQ(fake_.CountOf(""), 3);
}

TEST_F(AzureDriverTest, ListsWhatAnOrchestratorMade) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.AddMachines({"10000000-0000-4000-8000-000000000000"});
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().machine_uid(), kTestUid);
  EXPECT_EQ(listed->front().observation().state(), machine::v1::MACHINE_STATE_RUNNING);
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
