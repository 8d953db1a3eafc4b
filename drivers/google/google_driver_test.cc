#include "drivers/google/google_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/google/settings.h"
#include "drivers/google/test_google.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "services/common/status/status.h"
#include "tests/fakes/google/fake_google_auth.h"

namespace machine::driver::gce {
namespace {

using fakes::FakeGoogle;
using fakes::FakeGoogleAuth;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kDelete[] =
    "DELETE /compute/v1/projects/{project}/zones/{zone}/instances/{instance}";
constexpr char kDeleteDisk[] = "DELETE /compute/v1/projects/{project}/zones/{zone}/disks/{disk}";
constexpr char kFirewalls[] = "POST /compute/v1/projects/{project}/global/firewalls";
constexpr Fault::Kind kAfter = Fault::Kind::kStatusAfterEffect;

class GoogleUnderTest final : public GoogleCloud {
 public:
  static std::vector<FaultRow> Faults() {
    return Joined(
        CommonFaults({.create = kCreate, .list = kList, .poll = kZoneOperation, .read = kGet}),
        {
            {"CreateDownForLong", {.kind = Fault::Kind::kStatus, .route = kCreate, .times = 8}},
            {"Create500ButMadeForLong", {.kind = kAfter, .route = kCreate, .times = 5}, 4},
            {"OperationUnknownAtFirst",
             {.kind = Fault::Kind::kStatus, .route = kZoneOperation, .times = 2, .status = 404}},
            {"LostFirewallReply", {.kind = Fault::Kind::kLoseReply, .route = kFirewalls}},
            {"Firewall500ForLong", {.kind = kAfter, .route = kFirewalls, .times = 5}},
            {"LostAddressReply",
             {.kind = Fault::Kind::kLoseReply,
              .route = "POST /compute/v1/projects/{project}/regions/{region}/addresses"}},
            {"LaterLook500", {.kind = Fault::Kind::kStatus, .route = kGet, .after = 2}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return Joined(CommonRemoveFaults(kDelete, kList),
                  {
                      {"DeletedButDownForLong", {.kind = kAfter, .route = kDelete, .times = 5}},
                      {"OperationUnknown",
                       {.kind = Fault::Kind::kStatus, .route = kZoneOperation, .status = 500}},
                  });
  }
  static std::vector<StateRow> States() {
    return {
        {"PROVISIONING", machine::v1::MACHINE_STATE_STARTING},
        {"STAGING", machine::v1::MACHINE_STATE_STARTING},
        {"RUNNING", machine::v1::MACHINE_STATE_RUNNING},
        {"PENDING_STOP", machine::v1::MACHINE_STATE_STOPPING},
        {"STOPPING", machine::v1::MACHINE_STATE_STOPPING},
        {"STOPPED", machine::v1::MACHINE_STATE_STOPPED},
        {"TERMINATED", machine::v1::MACHINE_STATE_STOPPED},
        {"SUSPENDING", machine::v1::MACHINE_STATE_STOPPING},
        {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
        {"REPAIRING", machine::v1::MACHINE_STATE_ERROR},
        {"DEPROVISIONING", machine::v1::MACHINE_STATE_REMOVING},
        {"UNHEARD_OF", machine::v1::MACHINE_STATE_UNSPECIFIED},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {{"Empty", ""},
            {"NoObject", "[]"},
            {"NoText", R"({"MachineName": 7})"},
            {"NoName", R"({"MachineName": ""})"}};
  }
};
INSTANTIATE_CLOUD_SUITE(GoogleUnderTest);

class GoogleDriverTest : public GoogleTest {};

TEST_F(GoogleDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["name"], kName);
  EXPECT_EQ(asked["machineType"], "zones/us-central1-a/machineTypes/e2-micro");
  const nlohmann::json& disk = asked["disks"][0]["initializeParams"];
  EXPECT_EQ(disk["sourceImage"],
            "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20261101");
  EXPECT_EQ(disk["diskSizeGb"], "10");
  EXPECT_EQ(disk["diskType"], "zones/us-central1-a/diskTypes/pd-standard");
  EXPECT_EQ(disk["diskName"], kName);
  EXPECT_EQ(asked["labels"], nlohmann::json({{"docker-machine", "yes"},
                                             {"machine-uid", kTestUid},
                                             {"machine-orchestrator", kTestOrchestrator.data()}}));
  EXPECT_EQ(disk["labels"], asked["labels"]);
  EXPECT_EQ(asked["serviceAccounts"][0]["scopes"],
            nlohmann::json({"https://www.googleapis.com/auth/devstorage.read_only",
                            "https://www.googleapis.com/auth/logging.write"}));
  EXPECT_EQ(asked["metadata"]["items"][0],
            nlohmann::json({{"key", "enable-oslogin"}, {"value", "FALSE"}}));
  EXPECT_THAT(asked["metadata"]["items"][1]["value"].get<std::string>(),
              HasSubstr("docker-user:ssh-ed25519 AAAA"));
  const nlohmann::json rule = fake_.LastFirewall();
  EXPECT_EQ(rule["sourceRanges"], nlohmann::json({"0.0.0.0/0"}));
  EXPECT_EQ(rule["targetTags"], asked["tags"]["items"]);
  EXPECT_EQ(rule["allowed"],
            nlohmann::json::array({{{"IPProtocol", "tcp"}, {"ports", {"22", "2376", "3376"}}}}));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ip_addresses(0).substr(0, 7), "198.51.");
  EXPECT_EQ(endpoint.ssh_host(), endpoint.ip_addresses(0));
  EXPECT_EQ(endpoint.ssh_user(), "docker-user");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

// What the original docker-machine wrote of a machine: its instance has no label of ours.
TEST_F(GoogleDriverTest, AnImportedInstanceIsKnownByItsNameAlone) {
  fake_.AddInstance("old", "");
  MachineSpec machine = Machine();
  machine.state_version = kImportedStateVersion;
  machine.state = R"({"MachineName": "old", "Zone": "us-central1-a"})";
  const auto state = driver_.UpgradeState(*Call(), machine);
  ASSERT_TRUE(state.ok()) << state.status();
  machine.state = *state;
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  const auto batch = driver_.BatchInspect(*Call(), std::vector<MachineSpec>(25, machine));
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->back().state(), machine::v1::MACHINE_STATE_RUNNING) << "however many there are";
  const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
  EXPECT_EQ(fake_.CountOf(kDeleteDisk), 1) << "the original's disks outlive their instances";
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok()) << "nothing is left to do";
}

TEST_F(GoogleDriverTest, AnImportedInstanceThatWasThereBeforeStays) {
  fake_.AddInstance("old", "");
  MachineSpec machine = Machine({BoolOption(kUseExistingFlag, true)});
  machine.state_version = kImportedStateVersion;
  machine.state = R"({"MachineName": "old", "UseExisting": true})";
  machine.state = driver_.UpgradeState(*Call(), machine).value();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.InstanceNames(), ElementsAre("old"));
}

TEST_F(GoogleDriverTest, CreatesWithEveryOption) {
  using List = std::vector<std::string>;
  MachineSpec machine =
      Machine({Option("google-zone", "us-central1-b"), Option("google-machine-type", "e2-small"),
               Option("google-machine-image", "my-image"), Option("google-username", "admin"),
               Option("google-scopes", "compute,https://www.googleapis.com/auth/pubsub"),
               Option("google-service-account", "vm@my-project.iam.gserviceaccount.com"),
               Option("google-disk-size", 60), Option("google-disk-type", "pd-ssd"),
               BoolOption("google-spot", true), BoolOption("google-static-address", true),
               BoolOption("google-use-internal-ip", true), Option("google-network", "custom"),
               Option("google-subnetwork", "sub1"), Option("google-tags", List{"web, http", "x"}),
               Option("google-labels", List{"team=red,env=prod"}),
               Option("google-open-cidr", List{"203.0.113.0/24", "198.51.100.7/32"}),
               Option("google-open-port", List{"8080", "53/udp"}),
               Option("google-userdata-text", "#cloud-config\n\"quoted\"\n")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["disks"][0]["initializeParams"]["diskSizeGb"], "60");
  EXPECT_EQ(asked["scheduling"]["provisioningModel"], "SPOT");
  EXPECT_EQ(asked["scheduling"]["instanceTerminationAction"], "STOP");
  const nlohmann::json& interface = asked["networkInterfaces"][0];
  EXPECT_EQ(interface["subnetwork"], "projects/my-project/regions/us-central1/subnetworks/sub1");
  EXPECT_EQ(interface["accessConfigs"][0]["natIP"].get<std::string>().substr(0, 10), "203.0.113.");
  EXPECT_EQ(asked["serviceAccounts"][0]["scopes"][1], "https://www.googleapis.com/auth/pubsub");
  EXPECT_EQ(asked["tags"]["items"], nlohmann::json({"web", "http", "x", UidTag(kTestUid)}));
  EXPECT_EQ(asked["labels"]["env"], "prod");
  EXPECT_EQ(asked["metadata"]["items"][2]["value"], "#cloud-config\n\"quoted\"\n");
  const nlohmann::json rule = fake_.LastFirewall();
  EXPECT_EQ(rule["allowed"][0]["ports"], nlohmann::json({"22", "2376", "3376", "8080"}));
  EXPECT_EQ(rule["allowed"][1],
            nlohmann::json({{"IPProtocol", "udp"}, {"ports", nlohmann::json::array({"53"})}}));
  EXPECT_EQ(rule["sourceRanges"].size(), 2);
  EXPECT_EQ(made->endpoint().ip_addresses(0).substr(0, 7), "10.128.");
  EXPECT_EQ(made->endpoint().ssh_user(), "admin");
  EXPECT_THAT(fake_.AddressNames(), ElementsAre(UidTag(kTestUid)));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(GoogleDriverTest, AReservedAddressIsUsedAndStays) {
  fake_.AddAddress("mine", "192.0.2.10");
  for (const char* const given : {"mine", "192.0.2.10"}) {
    MachineSpec machine = Machine({Option("google-address", given)});
    EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
    const auto made = Create(machine);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->endpoint().ip_addresses(0), "192.0.2.10");
    EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
    EXPECT_THAT(fake_.AddressNames(), ElementsAre("mine"));
  }
}

TEST_F(GoogleDriverTest, AMachineNeedsNoExternalAddressAndNoRule) {
  MachineSpec machine =
      Machine({BoolOption("google-use-internal-ip-only", true),
               BoolOption("google-preemptible", true), Option("google-service-account", "none"),
               Option("google-open-cidr", std::vector<std::string>{"none"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  EXPECT_THAT(record_.log, IsEmpty());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_FALSE(fake_.LastCreate()["networkInterfaces"][0].contains("accessConfigs"));
  EXPECT_FALSE(fake_.LastCreate().contains("serviceAccounts"));
  EXPECT_EQ(fake_.LastCreate()["scheduling"]["preemptible"], true);
  ASSERT_EQ(made->endpoint().ip_addresses_size(), 1);
  EXPECT_EQ(fake_.CountOf(kFirewalls), 0);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(GoogleDriverTest, AnArmTypeGetsAnArmImage) {
  MachineSpec machine = Machine({Option("google-machine-type", "t2a-standard-1")});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_THAT(fake_.LastCreate()["disks"][0]["initializeParams"]["sourceImage"].get<std::string>(),
              HasSubstr("arm64"));
}

TEST_F(GoogleDriverTest, AnInstanceOfTheUsersIsAdoptedAndGivenBack) {
  const std::string mine = "me:ssh-ed25519 AAAAmine me@home";
  fake_.AddInstance("dev-one", mine);
  const nlohmann::json before = fake_.InstanceNamed("dev-one");
  MachineSpec machine =
      Machine({BoolOption("google-use-existing", true), Option("google-network", "custom")});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  fake_.ChangeFingerprintOnce();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->instance_id(), "dev-one");
  EXPECT_EQ(fake_.CountOf(kCreate), 0);
  EXPECT_EQ(fake_.LastFirewall()["network"], "projects/my-project/global/networks/default");
  const nlohmann::json during = fake_.InstanceNamed("dev-one");
  EXPECT_EQ(during["labels"]["machine-uid"], kTestUid);
  EXPECT_EQ(during["labels"]["team"], "red");
  const std::string keys = during["metadata"]["items"][0]["value"];
  EXPECT_THAT(keys, HasSubstr(absl::StrCat(mine, "\ndocker-user:ssh-ed25519 AAAA")));
  EXPECT_EQ(during["tags"]["items"], nlohmann::json({"web", UidTag(kTestUid)}));
  // No orphan for anybody's gc, and not for another machine to take.
  const auto orphans = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(orphans.ok()) << orphans.status();
  EXPECT_THAT(*orphans, IsEmpty());
  MachineSpec other = Machine({BoolOption("google-use-existing", true)}, "other-uid");
  EXPECT_THAT(std::string(driver_.PreCreateCheck(*Call(), other).message()),
              HasSubstr("another machine"));
  EXPECT_TRUE(absl::IsAlreadyExists(driver_.Create(*Call(), other).status()));
  EXPECT_TRUE(driver_.Remove(*Call(), other).ok());
  EXPECT_EQ(fake_.InstanceNamed("dev-one"), during);
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.InstanceNamed("dev-one")["metadata"]["items"][0]["value"], keys);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  const nlohmann::json after = fake_.InstanceNamed("dev-one");
  EXPECT_EQ(after["labels"], before["labels"]);
  EXPECT_EQ(after["metadata"]["items"], before["metadata"]["items"]);
  EXPECT_EQ(after["tags"]["items"], before["tags"]["items"]);
  EXPECT_THAT(fake_.FirewallNames(), IsEmpty());
}

TEST_F(GoogleDriverTest, TheDiskOfAFailedCreateIsDeletedToo) {
  MachineSpec machine = Machine({Option("google-open-cidr", std::vector<std::string>{"none"})});
  fake_.FailNextOperation("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 8.0");
  const auto made = Create(machine);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("Quota 'CPUS' exceeded"));
  EXPECT_THAT(fake_.DiskNames(), ElementsAre(kName));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

struct RefusalCase {
  absl::string_view label;
  absl::string_view reason;
  machine::v1::ErrorReason ours;
};
class RefusalTest : public GoogleDriverTest, public testing::WithParamInterface<RefusalCase> {};
TEST_P(RefusalTest, IsToldApart) {
  fake_.RefuseMutations(GetParam().reason, 100);
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  EXPECT_EQ(common::ReasonOf(made.status()), GetParam().ours) << made.status();
  fake_.RefuseMutations("", 0);
  EXPECT_TRUE(Create(machine).ok());
}
INSTANTIATE_TEST_SUITE_P(
    Reasons, RefusalTest,
    testing::ValuesIn<RefusalCase>({
        {"RateLimit", "rateLimitExceeded", machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT},
        {"UserRateLimit", "userRateLimitExceeded", machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT},
        {"Quota", "quotaExceeded", machine::v1::ERROR_REASON_PROVIDER_QUOTA},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(GoogleDriverTest, ARateLimitOf403Passes) {
  fake_.RefuseMutations("rateLimitExceeded", 3);
  MachineSpec machine = Machine();
  EXPECT_TRUE(Create(machine).ok());
}

TEST_F(GoogleDriverTest, EachMutationHasItsOwnRequestIdAndARepeatedOneHasTheSame) {
  MachineSpec machine = Machine();
  fake_.Order({.kind = kAfter, .route = kCreate, .times = 2});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.CountOf(kCreate), 3);
  // Of the rule and the instance.
  EXPECT_EQ(fake_.RequestIds().size(), 2u);
  ASSERT_TRUE(driver_.Stop(*Call(), machine, std::nullopt).ok());
  ASSERT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_GE(fake_.RequestIds().size(), 3u);
}

TEST_F(GoogleDriverTest, AnotherSpecOfTheSameUidDiffers) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  for (const OptionValue& option :
       {Option("google-machine-type", "e2-small"), Option("google-zone", "europe-west1-b"),
        Option("google-network", "custom"), BoolOption("google-spot", true)}) {
    MachineSpec other = Machine({option});
    const auto made = driver_.Create(*Call(), other);
    EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_INSTANCE_DIFFERS)
        << option.name() << ": " << made.status();
  }
  EXPECT_EQ(fake_.CountOf(kCreate), 1);
}

TEST_F(GoogleDriverTest, ASuspendedInstanceIsResumedAndARunningOneIsReset) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetStatus(kTestUid, "SUSPENDED");
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_SAVED);
  EXPECT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_EQ(fake_.CountOf(absl::StrCat("POST", &kGet[3], "/resume")), 1);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(fake_.CountOf(absl::StrCat("POST", &kGet[3], "/reset")), 1);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(GoogleDriverTest, AStartWaitsForAStopThatIsUnderWay) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPace(1'000'000);
  EXPECT_FALSE(driver_.Stop(*Call(), machine, absl::Milliseconds(50)).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPING);
  fake_.SetPace(1);
  EXPECT_TRUE(driver_.Start(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(GoogleDriverTest, AStartThatFailsIsAnError) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  ASSERT_TRUE(driver_.Stop(*Call(), machine, std::nullopt).ok());
  fake_.FailNextOperation("ZONE_RESOURCE_POOL_EXHAUSTED", "The zone has no resources");
  const auto started = driver_.Start(*Call(), machine);
  EXPECT_EQ(started.status().code(), absl::StatusCode::kResourceExhausted) << started.status();
  EXPECT_THAT(std::string(started.status().message()), HasSubstr("The zone has no resources"));
}

TEST_F(GoogleDriverTest, AZoneThatIsDownHidesNoOther) {
  fake_.AddMachines(2);
  fake_.SetUnreachable("europe-west1-b");
  std::vector<MachineSpec> machines = {Machine({}, "0"),
                                       Machine({Option("google-zone", "europe-west1-b")}, "1")};
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ((*seen)[0].state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ((*seen)[1].state(), machine::v1::MACHINE_STATE_TIMEOUT);
  // Orphans are not looked for in half a list.
  EXPECT_TRUE(absl::IsUnavailable(
      driver_.ListInstances(*Call(), kTestOrchestrator, machines[0].options).status()));
}

TEST_F(GoogleDriverTest, AServiceAccountsTokenIsKeptAndRenewedWhenRefused) {
  FakeGoogleAuth auth;
  fake_.SetToken("ya29.fake-1");
  MachineSpec machine = Machine({SecretOption(kTokenFlag, ""),
                                 SecretOption(kCredentialsTextFlag, auth.ServiceAccountFile())});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(auth.CountOf("POST /token"), 1);
  fake_.SetToken("ya29.fake-2");
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(auth.CountOf("POST /token"), 2);
}

}  // namespace
}  // namespace machine::driver::gce
