#include "drivers/rackspace/rackspace_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::driver::rackspace {
namespace {

using fakes::FakeOpenStack;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kCreate[] = "POST /v2/123456/servers";
constexpr char kList[] = "GET /v2/123456/servers/detail";
constexpr char kAct[] = "POST /v2/123456/servers/{id}/action";

class RackspaceCloud final : public CloudOf<FakeOpenStack, RackspaceDriver> {
 public:
  RackspaceCloud()
      : CloudOf(std::make_unique<FakeOpenStack>(FakeOpenStack::Style::kRackspace),
                std::make_unique<RackspaceDriver>(FastTiming<openstack::Timing>())) {}

  CloudFacts Facts() const override {
    return {.create = kCreate,
            .stop = kAct,
            .start = kAct,
            .restart_meets_faults = true,
            .stop_advice = "",  // Nova stops in one way, and has the last word.
            .kill_asks_the_guest = true,
            .wrong_credentials = SecretOption("rackspace-api-key", "wrong-secret"),
            .refusal = {"Username or api key is invalid"},
            .check_reads = {"POST /v2.0/tokens", "GET /v2/123456/flavors/detail"},
            // Three pages of 200, and once more for the one that is missing; signed in before.
            .batch = {.machines = 450, .requests = 6, .signs_in = true},
            .killed = {.route = kList, .after = 1, .reply_lost = true},
            // Without ports nothing keeps a second server from being made.
            .may_make_twice = true,
            .requests_of_a_life = 20};
  }
  std::vector<OptionValue> Account() override {
    return {Option("rackspace-username", "demo"),
            SecretOption("rackspace-api-key", FakeOpenStack::kApiKey),
            Option("rackspace-region", "IAD"),
            Option("rackspace-endpoint", absl::StrCat(fake->url(), "/v2.0"))};
  }

  std::vector<std::string> Instances() override { return fake->ServerNames(); }
  void ExpectNothingLeft() override {
    EXPECT_THAT(fake->ServerNames(), IsEmpty());
    EXPECT_THAT(fake->KeyPairNames(), IsEmpty());
  }
  // The descriptions are part of the fake.
  bool Checked() override { return true; }

  void HoldShutdown(bool hold) override { fake->IgnoreStop(hold); }
  void ReachLimit() override { fake->SetServerLimit(0); }
  void AddInstances(int count) override {
    fake->AddServers(count);
    fake->SetPageSize(200);
  }
  MachineState StateOf(absl::string_view status, absl::string_view task) override {
    return openstack::StateOfServer(status, task);
  }

  static std::vector<FaultRow> Faults() {
    return Joined(
        CommonFaults({.create = kCreate, .list = kList}),
        {
            {"NoVersions", {.kind = Fault::Kind::kStatus, .route = "GET /v2/", .status = 404}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults("DELETE /v2/123456/servers/{id}", kList);
  }
  // The rest is that of all clouds that speak OpenStack.
  static std::vector<StateRow> States() {
    return {{"ACTIVE", machine::v1::MACHINE_STATE_RUNNING},
            {"SHUTOFF", machine::v1::MACHINE_STATE_STOPPED}};
  }
  static std::vector<CheckRow> Checks() {
    return {
        {"Region", {Option("rackspace-region", "MARS")}, {"--rackspace-region", "DFW, IAD"}},
        {"Flavor",
         {Option("rackspace-flavor-id", "huge")},
         {"--rackspace-flavor-id", "general1-1 1 GB General Purpose v1"}},
        {"RetiredFlavor", {Option("rackspace-flavor-id", "performance1-1")}, {"general1-"}},
        {"RetiredImage",
         {Option("rackspace-image-id", "598a4282-f14b-4e50-af4c-b3e52749d9f9")},
         {"is gone", "newest Ubuntu LTS"}},
        {"ImageName",
         {Option("rackspace-image-name", "beos")},
         {"--rackspace-image-name", "Ubuntu"}},
        {"KnownImageName", {Option("rackspace-image-name", "Ubuntu 25.10")}, {}},
        {"DockerInstall", {BoolOption("rackspace-docker-install", false)}, {}},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"PlainHttp", {Option("rackspace-endpoint", "http://identity.example/v2.0")}},
        {"Interface", {Option("rackspace-endpoint-type", "secretURL")}},
        {"Metadata", {Option("rackspace-metadata", std::vector<std::string>{"no-value"})}},
        {"Port", {Option("rackspace-ssh-port", 70'000)}},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {{"Empty", ""}, {"NoObject", "[]"}, {"NoId", R"({"MachineId": ""})"}};
  }
};
INSTANTIATE_CLOUD_SUITE(RackspaceCloud);
INSTANTIATE_CLOUD_OPTIONS_SUITE(RackspaceCloud);

class RackspaceDriverTest : public CloudFixture<RackspaceCloud> {};

TEST_F(RackspaceDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine({Option("rackspace-user-data", "#!/bin/sh\n")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  EXPECT_THAT(record_.log, testing::Contains(HasSubstr("legacy cloud")));
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["imageRef"], FakeOpenStack::kUbuntuImage);
  EXPECT_EQ(asked["flavorRef"], "general1-1");
  EXPECT_EQ(asked["config_drive"], true);
  EXPECT_FALSE(asked.contains("networks"));
  EXPECT_FALSE(asked.contains("tags"));
  EXPECT_EQ(made->endpoint().ip_addresses(0).substr(0, 11), "198.51.100.");
  EXPECT_EQ(made->endpoint().ssh_user(), "root");
  EXPECT_EQ(fake_.LastMicroversion(), "");
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->size(), 1u);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ServerNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyPairNames(), IsEmpty());
}

TEST_F(RackspaceDriverTest, AnImportedServerIsKnownByItsIdAlone) {
  fake_.AddServers(1);
  fake_.AddKeyPair("dev-key", "ssh-rsa AAAA");
  MachineSpec machine = Machine();
  machine.state = absl::StrCat(R"({"MachineId": ")", fake_.Servers()[0]["id"].get<std::string>(),
                               R"(", "KeyPairName": "dev-key", "APIKey": "secret"})");
  machine.state_version = kImportedStateVersion;
  const auto state = driver_.UpgradeState(*Call(), machine);
  ASSERT_TRUE(state.ok()) << state.status();
  machine.state = *state;
  const auto seen = driver_.Inspect(*Call(), machine);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ServerNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyPairNames(), IsEmpty());
}

TEST_F(RackspaceDriverTest, ReachesItByServiceNetIfAsked) {
  MachineSpec machine = Machine({BoolOption("rackspace-private-address-only", true)});
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->endpoint().ip_addresses(0).substr(0, 7), "10.1.2.");
}

TEST_F(RackspaceDriverTest, TokensEndInBothForms) {
  for (const char* const format : {"%Y-%m-%d%ET%H:%M:%E3S%Ez", "%Y-%m-%d%ET%H:%M:%E3SZ",
                                   "%Y-%m-%d%ET%H:%M:%S-00:00", "%Y-%m-%d%ET%H:%M:%S"}) {
    fake_.SetExpiryFormat(format);
    fake_.ForgetRequests();
    RackspaceDriver driver(FastTiming<openstack::Timing>());
    ASSERT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
    for (int i = 0; i < 3; ++i) {
      const auto seen = driver.Inspect(*Call(), Machine());
      ASSERT_TRUE(seen.ok()) << format << ": " << seen.status();
    }
    EXPECT_EQ(fake_.CountOf("POST /v2.0/tokens"), 1) << format;
  }
  fake_.RevokeTokens();
  EXPECT_TRUE(driver_.Inspect(*Call(), Machine()).ok());
}

TEST_F(RackspaceDriverTest, PowerWorks) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(driver_.Kill(*Call(), machine)->state(), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(driver_.Start(*Call(), machine)->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(driver_.Restart(*Call(), machine)->state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(driver_.Stop(*Call(), machine, std::nullopt)->state(),
            machine::v1::MACHINE_STATE_STOPPED);
}

}  // namespace
}  // namespace machine::driver::rackspace
