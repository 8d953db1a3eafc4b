#include "drivers/digitalocean/digitalocean_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/digitalocean/settings.h"
#include "drivers/digitalocean/state.pb.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "tests/fakes/digitalocean/fake_digitalocean.h"

namespace machine::driver::digitalocean {
namespace {

using fakes::FakeDigitalOcean;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char kCreate[] = "POST /v2/droplets";
constexpr char kList[] = "GET /v2/droplets";
constexpr char kAct[] = "POST /v2/droplets/{id}/actions";

class DigitalOceanCloud final : public CloudOf<FakeDigitalOcean, DigitalOceanDriver> {
 public:
  DigitalOceanCloud()
      : CloudOf(std::make_unique<FakeDigitalOcean>(),
                std::make_unique<DigitalOceanDriver>(FastTiming<Timing>())) {}

  CloudFacts Facts() const override {
    return {.create = kCreate,
            .stop = kAct,
            .start = kAct,
            .wrong_credentials = SecretOption(kTokenFlag, "dop_v1_wrong"),
            .refusal = {"--digitalocean-access-token"},
            .check_reads = {"GET /v2/account", "GET /v2/sizes"},
            // Three pages of 200, and another look.
            .batch = {.machines = 450, .requests = 4},
            .killed = {.route = kList, .after = 1, .reply_lost = true},
            .may_make_twice = true,
            .requests_of_a_life = 20};
  }
  std::vector<OptionValue> Account() override {
    return {SecretOption(kTokenFlag, FakeDigitalOcean::kToken), Option(kEndpointFlag, fake->url())};
  }
  std::vector<OptionValue> PartsToFail() override {
    return {Option(kVpcFlag, "760e09ef-dc84-11e8-981e-3cfdfeaae000"),
            Option(kOpenCidrFlag, std::vector<std::string>{"::/0"})};
  }

  std::vector<std::string> Instances() override { return fake->DropletNames(); }
  void ExpectNothingLeft() override {
    EXPECT_THAT(fake->DropletNames(), IsEmpty());
    EXPECT_THAT(fake->KeyNames(), IsEmpty());
    EXPECT_THAT(fake->FirewallNames(), IsEmpty());
    EXPECT_FALSE(fake->Tags().contains(UidTag(kTestUid)));
  }
  bool Checked() override { return fake->checked(); }

  void HoldShutdown(bool hold) override { fake->IgnoreShutdown(hold); }
  void ReachLimit() override { fake->SetDropletLimit(0); }
  void AddInstances(int count) override { fake->AddDroplets(count, kMachineTag, UidTag("")); }
  MachineState StateOf(absl::string_view word, absl::string_view) override {
    if (word == "new") return StateOfDroplet(word);
    MachineSpec machine = Machine();
    EXPECT_TRUE(Create(machine).ok());
    fake->SetPace(1000);
    fake->SetStatus(UidTag(kTestUid), word);
    return Inspect(machine);
  }

  static std::vector<FaultRow> Faults() {
    return Joined(
        CommonFaults({.create = kCreate,
                      .list = kList,
                      .poll = "GET /v2/droplets/{id}",
                      .read = "GET /v2/sizes"}),
        {
            {"LostKeyReply", {.kind = Fault::Kind::kLoseReply, .route = "POST /v2/account/keys"}},
            {"LostRulesReply", {.kind = Fault::Kind::kLoseReply, .route = "POST /v2/firewalls"}},
            {"Images500", {.kind = Fault::Kind::kStatus, .route = "GET /v2/images"}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults("DELETE /v2/droplets/{id}", kList);
  }
  static std::vector<StateRow> States() {
    return {
        {"active", machine::v1::MACHINE_STATE_RUNNING},
        {"off", machine::v1::MACHINE_STATE_STOPPED},
        {"archive", machine::v1::MACHINE_STATE_STOPPED},
        {"new", machine::v1::MACHINE_STATE_STARTING},
        {"unheard-of", machine::v1::MACHINE_STATE_UNSPECIFIED},
    };
  }
  static std::vector<CheckRow> Checks() {
    return {
        {"UnknownRegion", {Option(kRegionFlag, "mars1")}, {"\"mars1\"; there are ams3, nyc3"}},
        {"ClosedRegion", {Option(kRegionFlag, "sfo1")}, {"ams3, nyc3"}},
        {"UnknownSize", {Option(kSizeFlag, "xxl")}, {"size in region nyc3", "s-1vcpu-1gb"}},
        {"OldSize", {Option(kSizeFlag, "512mb")}, {}},
        {"UnknownImage", {Option(kImageFlag, "beos")}, {"debian-12-x64", "ubuntu-24-04-x64"}},
        {"ImageOfAnotherRegion", {Option(kImageFlag, "ubuntu-26-04-x64")}, {"in region nyc3"}},
        {"RetiredImage",
         {Option(kImageFlag, "ubuntu-14-04-x64")},
         {"ubuntu-14-04-x64", "is gone", "newest Ubuntu LTS"}},
        {"OldDockerImage", {Option(kImageFlag, "docker")}, {}},
        {"UnknownVpc", {Option(kVpcFlag, "none")}, {"760e09ef"}},
        {"UnknownKey", {Option(kKeyFlag, "99:99")}, {"no ssh key \"99:99\""}},
        {"PrivateNetworking", {BoolOption("digitalocean-private-networking", true)}, {}},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"TokenWithALineEnd", {SecretOption(kTokenFlag, "abc\nX-Evil: 1")}},
        {"TagWithASpace", {Option("digitalocean-tags", std::vector<std::string>{"a b"})}},
        {"TagWithAQuote", {Option("digitalocean-tags", std::vector<std::string>{"a\"b"})}},
        {"CidrWithoutBits", {Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.1"})}},
        {"PlainHttp", {Option("digitalocean-endpoint", "http://api.example.com")}},
        {"TooMuchUserData", {Option("digitalocean-userdata-text", std::string(70'000, 'x'))}},
        {"Port", {Option("digitalocean-ssh-port", 70'000)}},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {
        {"Empty", ""},
        {"NoObject", "[]"},
        {"NoNumber", R"({"DropletID": "x"})"},
        {"Zero", R"({"DropletID": 0})"},
    };
  }
};
INSTANTIATE_CLOUD_SUITE(DigitalOceanCloud);
INSTANTIATE_CLOUD_OPTIONS_SUITE(DigitalOceanCloud);

class DigitalOceanDriverTest : public CloudFixture<DigitalOceanCloud> {};

TEST_F(DigitalOceanDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["name"], "dev.one");
  EXPECT_EQ(asked["region"], "nyc3");
  EXPECT_EQ(asked["image"], "ubuntu-24-04-x64");
  EXPECT_EQ(asked["size"], "s-1vcpu-1gb");
  EXPECT_EQ(asked["tags"], nlohmann::json({UidTag(kTestUid), "docker-machine",
                                           OrchestratorTag(kTestOrchestrator)}));
  EXPECT_FALSE(asked.contains("private_networking"));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ip_addresses(0).substr(0, 7), "198.51.");
  EXPECT_EQ(endpoint.ssh_host(), endpoint.ip_addresses(0));
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_THAT(fake_.KeyNames(), ElementsAre(UidTag(kTestUid)));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(DigitalOceanDriverTest, CreatesWithEveryOption) {
  const int64_t mine = fake_.AddKey("mine", "ssh-ed25519 AAAAmine me@home", "11:22");
  MachineSpec machine =
      Machine({Option("digitalocean-image", "70"), Option("digitalocean-size", "4gb"),
               BoolOption("digitalocean-ipv6", true), BoolOption("digitalocean-backups", true),
               BoolOption("digitalocean-monitoring", true),
               Option("digitalocean-tags", std::vector<std::string>{"web, env:prod", "x"}),
               Option("digitalocean-vpc-uuid", "760e09ef-dc84-11e8-981e-3cfdfeaae000"),
               Option("digitalocean-userdata-text", "#cloud-config\n\"quoted\"\n"),
               Option("digitalocean-ssh-key-fingerprint", "11:22"),
               Option("digitalocean-ssh-user", "admin"), Option("digitalocean-ssh-port", 2222),
               BoolOption("digitalocean-private-address-only", true),
               Option("digitalocean-open-cidr", std::vector<std::string>{"203.0.113.0/24"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["image"], 70);
  EXPECT_EQ(asked["size"], "s-2vcpu-4gb");
  EXPECT_EQ(asked["ipv6"], true);
  EXPECT_EQ(asked["backups"], true);
  EXPECT_EQ(asked["monitoring"], true);
  EXPECT_EQ(asked["public_networking"], false);
  EXPECT_EQ(asked["vpc_uuid"], "760e09ef-dc84-11e8-981e-3cfdfeaae000");
  EXPECT_EQ(asked["user_data"], "#cloud-config\n\"quoted\"\n");
  EXPECT_EQ(asked["ssh_keys"].size(), 2);
  EXPECT_EQ(asked["ssh_keys"][1], mine);
  EXPECT_EQ(asked["tags"].size(), 6);
  EXPECT_EQ(asked["tags"][4], "env:prod");
  EXPECT_EQ(made->endpoint().ip_addresses(0).substr(0, 5), "10.1.");
  EXPECT_EQ(made->endpoint().ssh_port(), 2222);
  const nlohmann::json firewall = fake_.LastFirewall();
  EXPECT_EQ(firewall["tags"], nlohmann::json::array({UidTag(kTestUid)}));
  EXPECT_EQ(firewall["inbound_rules"][0]["ports"], "2222");
  EXPECT_EQ(firewall["inbound_rules"][1]["sources"]["addresses"],
            nlohmann::json::array({"203.0.113.0/24"}));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
  EXPECT_THAT(fake_.FirewallNames(), IsEmpty());
}

// Of these lists the provider allows ten a minute.
TEST_F(DigitalOceanDriverTest, AMachineLivesWithoutAListOfKeys) {
  fake_.AddKey("mine", "ssh-ed25519 AAAAmine me@home", "11:22");
  MachineSpec machine = Machine({Option("digitalocean-ssh-key-fingerprint", "11:22")});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_THAT(fake_.KeyNames(), UnorderedElementsAre("mine", UidTag(kTestUid)));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
  EXPECT_EQ(fake_.CountOf("GET /v2/account/keys"), 0);
}

TEST_F(DigitalOceanDriverTest, AKeyThatTheAccountHasIsUsedAndStays) {
  const int64_t mine = fake_.AddKey("mine", absl::StrCat(kTestKey, "-other-comment"), "11:22");
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["ssh_keys"], nlohmann::json::array({mine}));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
}

// What the original docker-machine wrote of a machine: its droplet has no tag of ours.
TEST_F(DigitalOceanDriverTest, AnImportedDropletIsKnownByItsIdAlone) {
  MachineSpec made = Machine({}, "99999999-d9cb-469f-a165-70867728950e");
  const auto droplet = driver_.Create(*Call(), made);
  ASSERT_TRUE(droplet.ok()) << droplet.status();
  const int64_t key = fake_.AddKey("dev", "ssh-ed25519 AAAAdev", "33:44");
  MachineSpec machine = Machine();
  machine.state = absl::StrCat(R"({"DropletID": )", droplet->instance_id(), R"(, "SSHKeyID": )",
                               key, R"(, "AccessToken": "secret"})");
  machine.state_version = kImportedStateVersion;
  const auto state = driver_.UpgradeState(*Call(), machine);
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_THAT(*state, testing::Not(HasSubstr("secret")));
  machine.state = *state;
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  const auto batch = driver_.BatchInspect(*Call(), {machine});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->front().instance_id(), droplet->instance_id());
  EXPECT_TRUE(driver_.Stop(*Call(), machine, std::nullopt).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.DropletNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyNames(), testing::Not(testing::Contains("dev"))) << "the original made it";
}

TEST_F(DigitalOceanDriverTest, RemoveFindsADropletThatWasNeverSeen) {
  fake_.Order({.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate});
  fake_.Order({.kind = Fault::Kind::kStatus, .route = kList, .after = 1, .times = 100});
  MachineSpec machine = Machine();
  EXPECT_FALSE(Create(machine).ok());
  EXPECT_EQ(fake_.DropletNames().size(), 1u);
  while (fake_.pending_faults() > 0) Create(machine).IgnoreError();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(DigitalOceanDriverTest, AnActionThatFailsIsAnError) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.FailNextAction();
  const auto killed = driver_.Kill(*Call(), machine);
  EXPECT_EQ(killed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(killed.status().message()), HasSubstr("power_off"));
}

TEST_F(DigitalOceanDriverTest, AnEndpointWhoseCertificateIsNotTrustedIsNamedAndFinal) {
  const auto authority = common::CertAuthority::Create("test", absl::Hours(1));
  ASSERT_TRUE(authority.ok()) << authority.status();
  const auto cert = authority->IssueServer({"127.0.0.1"}, absl::Hours(1));
  ASSERT_TRUE(cert.ok()) << cert.status();
  const std::string cert_path = testing::TempDir() + "/server.pem";
  const std::string key_path = testing::TempDir() + "/server.key";
  ASSERT_TRUE(common::WriteFileAtomically(cert_path, cert->cert_pem, 0600).ok());
  ASSERT_TRUE(common::WriteFileAtomically(key_path, cert->key_pem.view(), 0600).ok());
  httplib::SSLServer server(cert_path.c_str(), key_path.c_str());
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&] { server.listen_after_bind(); });

  const absl::Status status =
      PreCreateCheck({Option("digitalocean-endpoint", absl::StrCat("https://127.0.0.1:", port))});
  server.stop();
  serving.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("--digitalocean-endpoint: "),
                             HasSubstr("the certificate of 127.0.0.1 is not trusted"),
                             HasSubstr("update-ca-certificates")));
}

TEST_F(DigitalOceanDriverTest, WarnsOfOldNamesAndOpenDoors) {
  EXPECT_TRUE(PreCreateCheck({Option(kSizeFlag, "512mb"),
                              BoolOption("digitalocean-private-networking", true),
                              Option(kOpenCidrFlag, std::vector<std::string>{"0.0.0.0/0"})})
                  .ok());
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("now called s-1vcpu-512mb-10gb"),
                                       HasSubstr("no effect"), HasSubstr("whole internet")));
}

}  // namespace
}  // namespace machine::driver::digitalocean
