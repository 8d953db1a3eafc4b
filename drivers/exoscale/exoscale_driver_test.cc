#include "drivers/exoscale/exoscale_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/exoscale/catalog.h"
#include "drivers/exoscale/settings.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/conformance/cloud_suite.h"
#include "services/common/file/file.h"
#include "tests/fakes/exoscale/fake_exoscale.h"

namespace machine::driver::exoscale {
namespace {

using fakes::FakeExoscale;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Strings = std::vector<std::string>;

constexpr char kCreate[] = "POST /v2/instance";
constexpr char kList[] = "GET /v2/instance";
constexpr char kAct[] = "PUT /v2/instance/{id}";

class ExoscaleCloud final : public CloudOf<FakeExoscale, ExoscaleDriver> {
 public:
  ExoscaleCloud()
      : CloudOf(std::make_unique<FakeExoscale>(),
                std::make_unique<ExoscaleDriver>(FastTiming<Timing>())) {}

  CloudFacts Facts() const override {
    return {.create = kCreate,
            .stop = kAct,
            .start = kAct,
            .stop_advice = "",  // There is nothing stronger than stop.
            .kill_asks_the_guest = true,
            .wrong_credentials = SecretOption(kSecretFlag, "wrong-secret"),
            .refusal = {"--exoscale-api-secret-key"},
            .check_reads = {"GET /v2/template"},
            // One list, and another look.
            .batch = {.machines = 250, .requests = 2},
            .killed = {.route = kList, .after = 1, .reply_lost = true},
            .may_make_twice = true,
            .requests_of_a_life = 20};
  }
  std::vector<OptionValue> Account() override {
    return {SecretOption(kKeyFlag, FakeExoscale::kKey),
            SecretOption(kSecretFlag, FakeExoscale::kSecret), Option(kUrlFlag, fake->url())};
  }

  std::vector<std::string> Instances() override { return fake->InstanceNames(); }
  void ExpectNothingLeft() override {
    EXPECT_THAT(fake->InstanceNames(), IsEmpty());
    EXPECT_THAT(fake->KeyNames(), IsEmpty());
    EXPECT_THAT(fake->SecurityGroupNames(), IsEmpty());
    EXPECT_THAT(fake->AffinityGroupNames(), IsEmpty());
  }
  bool Checked() override { return fake->checked(); }

  void HoldShutdown(bool hold) override { fake->IgnoreStop(hold); }
  void ReachLimit() override { fake->SetLimit(0); }
  void AddInstances(int count) override { fake->AddInstances(count); }
  MachineState StateOf(absl::string_view word, absl::string_view) override {
    return StateOfInstance(word);
  }

  static std::vector<FaultRow> Faults() {
    using Kind = Fault::Kind;
    return Joined(
        CommonFaults({.create = kCreate,
                      .list = kList,
                      .poll = "GET /v2/instance/{id}",
                      .read = "GET /v2/template"}),
        {
            {"LostKeyReply", {.kind = Kind::kLoseReply, .route = "POST /v2/ssh-key"}},
            {"Key500", {.kind = Kind::kStatus, .route = "POST /v2/ssh-key"}},
            {"LostGroupReply", {.kind = Kind::kLoseReply, .route = "POST /v2/security-group"}},
            {"LostRuleReply",
             {.kind = Kind::kLoseReply, .route = "POST /v2/security-group/{id}/rules"}},
            {"OperationUnread",
             {.kind = Kind::kStatus, .route = "GET /v2/operation/{id}", .times = 3}},
        });
  }
  static std::vector<FaultRow> RemoveFaults() {
    return CommonRemoveFaults("DELETE /v2/instance/{id}", kList);
  }
  static std::vector<StateRow> States() {
    return {
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
    };
  }
  static std::vector<CheckRow> Checks() {
    return {
        {"UnknownZone", {Option(kZoneFlag, "ch-mars-1")}, {"\"ch-mars-1\"; there are ch-gva-2"}},
        {"UnknownType", {Option(kProfileFlag, "giant")}, {"memory.large, standard.medium"}},
        {"TypeOfAnotherZone", {Option(kProfileFlag, "huge")}, {"in zone ch-gva-2"}},
        {"TypeThatIsNotAllowed", {Option(kProfileFlag, "gpu2.small")}, {"for this account"}},
        {"UnknownImage", {Option(kImageFlag, "beos")}, {"debian-12"}},
        {"RetiredImage", {Option(kImageFlag, "ubuntu-14.04")}, {"newest Ubuntu LTS"}},
        {"RetiredLongName", {Option(kImageFlag, "Linux Ubuntu 16.04 LTS 64-bit")}, {"is gone"}},
        {"DiskTooSmall",
         {Option(kImageFlag, "Windows Server 2022")},
         {"at least 100 GB"},
         "--exoscale-disk-size"},
        {"UnknownKey", {Option(kKeyNameFlag, "nokey")}, {"--exoscale-key-name"}},
        {"UnknownNetwork", {Option(kPrivateNetworkFlag, "nonet")}, {"private network in zone"}},
        {"RetiredEndpoint",
         {Option(kUrlFlag, "https://api.exoscale.ch/compute")},
         {"has shut down; leave --exoscale-url"}},
        {"RetiredVersion", {Option(kUrlFlag, "https://api.exoscale.com/v1")}, {"has shut down"}},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"SecretWithALineEnd", {SecretOption(kSecretFlag, "abc\nX-Evil: 1")}},
        {"KeyWithAComma", {SecretOption(kKeyFlag, "abc,expires=9")}},
        {"PlainHttp", {Option(kUrlFlag, "http://api.example.com")}},
        {"ZoneThatIsAHost", {Option(kZoneFlag, "evil.example.com/")}},
        {"LabelWithoutValue", {Option("exoscale-label", Strings{"team"})}},
        {"BadCidr", {Option(kOpenCidrFlag, Strings{"everybody"})}},
        {"SmallDisk", {Option(kDiskFlag, int64_t{5})}},
        {"PrivateWithoutNetwork", {BoolOption(kPrivateOnlyFlag, true)}},
        {"TooMuchUserData", {Option("exoscale-userdata-text", std::string(30'000, 'x'))}},
    };
  }
  static std::vector<ImportRow> BadImports() {
    return {{"Empty", ""}, {"NoObject", "[]"}, {"NoId", R"({"Id": ""})"}};
  }
};
INSTANTIATE_CLOUD_SUITE(ExoscaleCloud);
INSTANTIATE_CLOUD_OPTIONS_SUITE(ExoscaleCloud);

class ExoscaleDriverTest : public CloudFixture<ExoscaleCloud> {};

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
  EXPECT_EQ(asked["ssh-keys"], nlohmann::json({{{"name", UidTag(kTestUid)}}}));
  EXPECT_EQ(asked["labels"], nlohmann::json({{"machine-uid", kTestUid},
                                             {"machine-orchestrator", kTestOrchestrator}}));
  EXPECT_THAT(fake_.RulesOf("docker-machine"),
              ElementsAre("22 0.0.0.0/0", "2376 0.0.0.0/0", "3376 0.0.0.0/0"));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 1);
  EXPECT_EQ(endpoint.ssh_user(), "ubuntu");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
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
  ExpectNothingLeft();
}

TEST_F(ExoscaleDriverTest, AGroupThatAnotherMachineUsesStays) {
  MachineSpec first = Machine();
  ASSERT_TRUE(Create(first).ok());
  MachineSpec second = Machine({}, "another");
  ASSERT_TRUE(Create(second).ok());
  EXPECT_TRUE(driver_.Remove(*Call(), first).ok());
  EXPECT_THAT(fake_.SecurityGroupNames(), ElementsAre("docker-machine"));
  EXPECT_TRUE(driver_.Remove(*Call(), second).ok());
  ExpectNothingLeft();
}

TEST_F(ExoscaleDriverTest, AnOperationThatFailsSaysWhy) {
  MachineSpec machine = Machine();
  fake_.FailNextInstance("unsupported", "The type does not fit the template.");
  const absl::Status status = Create(machine).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not fit the template"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
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
  EXPECT_THAT(fake_.KeyNames(), ElementsAre(UidTag(kTestUid)));
}

class HostCredentialsTest : public testing::Test {
 protected:
  // Credentials of a create that names none, where exo has left `file`.
  absl::StatusOr<Credentials> Of(absl::string_view file, std::vector<OptionValue> given = {}) {
    EXPECT_TRUE(common::WriteFileAtomically(path_, file, 0600).ok());
    const auto options = MakeOptions(driver_, given);
    if (!options.ok()) return options.status();
    return ReadCredentials(*options, environment_);
  }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/exoscale.toml");
  const Environment environment_ = [this](const char* name) {
    return name == absl::string_view("EXOSCALE_CONFIG") ? std::make_optional(path_) : std::nullopt;
  };
  const ExoscaleDriver driver_{FastTiming<Timing>(), environment_};
  static constexpr char kFile[] =
      "defaultaccount = \"b\"\n[[accounts]]\n  name = \"a\"\n  key = \"EXOa\"\n"
      "  secret = \"sa\"\n[[accounts]]\n  name = \"b\"\n  key = \"EXOb\"\n  secret = \"sb\"\n"
      "[[accounts]]\n  name = \"c\"\n  key = \"EXOc\"\n  secretcommand = [\"pass\"]\n";
};

TEST_F(HostCredentialsTest, AreThoseOfExo) {
  const auto usual = Of(kFile);
  ASSERT_TRUE(usual.ok()) << usual.status();
  EXPECT_EQ(usual->key, "EXOb");
  EXPECT_EQ(usual->secret, "sb");
  EXPECT_EQ(usual->endpoint, "https://api-ch-gva-2.exoscale.com/v2");
  const auto named = Of(kFile, {Option(kAccountFlag, "a")});
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->key, "EXOa");
  const auto given = Of(kFile, {SecretOption(kKeyFlag, "EXOx"), SecretOption(kSecretFlag, "sx")});
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->key, "EXOx");
}

TEST_F(HostCredentialsTest, WithoutAnyTheErrorSaysWhereTheyMayBe) {
  const absl::Status none = Of("").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.message()),
              testing::AllOf(HasSubstr("--exoscale-api-key"), HasSubstr("exo config")));
  EXPECT_THAT(std::string(Of(kFile, {Option(kAccountFlag, "z")}).status().message()),
              HasSubstr("--exoscale-account: there is no account \"z\""));
  EXPECT_THAT(std::string(Of(kFile, {Option(kAccountFlag, "c")}).status().message()),
              HasSubstr("not both a key and a secret"));
  EXPECT_THAT(std::string(Of(kFile, {SecretOption(kKeyFlag, "EXOx")}).status().message()),
              HasSubstr("--exoscale-api-secret-key"));
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
