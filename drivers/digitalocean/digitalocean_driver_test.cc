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
#include "drivers/sdk/test_machine.h"
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

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kCreate[] = "POST /v2/droplets";
constexpr char kList[] = "GET /v2/droplets";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class DigitalOceanDriverTest : public testing::Test {
 protected:
  DigitalOceanDriverTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(std::vector<OptionValue> more = {}, absl::string_view uid = kUid) {
    std::vector<OptionValue> values = {SecretOption(kTokenFlag, FakeDigitalOcean::kToken),
                                       Option("digitalocean-endpoint", fake_.url())};
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

  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return MakeCall(kUid, record_, timeout);
  }

  // Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  absl::Status PreCreateCheck(std::vector<OptionValue> options) {
    return driver_.PreCreateCheck(*Call(), Machine(std::move(options)));
  }

  MachineState Inspect(const MachineSpec& machine) {
    const auto seen = driver_.Inspect(*Call(), machine);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  void ExpectNothingLeft() {
    EXPECT_THAT(fake_.DropletNames(), IsEmpty());
    EXPECT_THAT(fake_.KeyNames(), IsEmpty());
    EXPECT_THAT(fake_.FirewallNames(), IsEmpty());
    EXPECT_FALSE(fake_.Tags().contains(UidTag(kUid)));
  }

  FakeDigitalOcean fake_;
  CallRecord record_;
  DigitalOceanDriver driver_;
};

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
  EXPECT_EQ(asked["tags"],
            nlohmann::json({UidTag(kUid), "docker-machine", OrchestratorTag(kTestOrchestrator)}));
  EXPECT_FALSE(asked.contains("private_networking"));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 2);
  EXPECT_EQ(endpoint.ip_addresses(0).substr(0, 7), "198.51.");
  EXPECT_EQ(endpoint.ssh_host(), endpoint.ip_addresses(0));
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_THAT(fake_.KeyNames(), ElementsAre(UidTag(kUid)));
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
  EXPECT_EQ(firewall["tags"], nlohmann::json::array({UidTag(kUid)}));
  EXPECT_EQ(firewall["inbound_rules"][0]["ports"], "2222");
  EXPECT_EQ(firewall["inbound_rules"][1]["sources"]["addresses"],
            nlohmann::json::array({"203.0.113.0/24"}));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
  EXPECT_THAT(fake_.FirewallNames(), IsEmpty());
}

TEST_F(DigitalOceanDriverTest, AKeyThatTheAccountHasIsUsedAndStays) {
  const int64_t mine = fake_.AddKey("mine", absl::StrCat(kTestKey, "-other-comment"), "11:22");
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastCreate()["ssh_keys"], nlohmann::json::array({mine}));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.KeyNames(), ElementsAre("mine"));
}

// Whatever goes wrong on the way, a create that is tried again ends with one droplet, and a remove
// with none.
struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public DigitalOceanDriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneDropletAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine();
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.DropletNames().size(), 1u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledCreate", {.kind = Fault::Kind::kThrottle, .route = kCreate}},
        {"ThrottledEverywhere", {.kind = Fault::Kind::kThrottle, .times = 3}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = kCreate}},
        {"Create502", {.kind = Fault::Kind::kStatus, .route = kCreate, .status = 502}},
        {"Create500ButMade", {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate}},
        {"Create500ButMadeAndUnseen",
         {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate},
         4},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = kCreate}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = kCreate}, 4},
        {"GarbageCreate", {.kind = Fault::Kind::kGarbage, .route = kCreate}},
        {"UnseenForAWhile", {.kind = Fault::Kind::kGarbage, .route = "GET /v2/sizes"}, 5},
        {"GarbageList", {.kind = Fault::Kind::kGarbage, .route = kList}},
        {"List500", {.kind = Fault::Kind::kStatus, .route = kList, .times = 2}},
        {"PollsFail", {.kind = Fault::Kind::kStatus, .route = "GET /v2/droplets/{id}", .times = 7}},
        {"LostKeyReply", {.kind = Fault::Kind::kLoseReply, .route = "POST /v2/account/keys"}},
        {"Images500", {.kind = Fault::Kind::kStatus, .route = "GET /v2/images"}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(DigitalOceanDriverTest, ACreateKilledAfterItsRequestIsAdopted) {
  MachineSpec machine = Machine();
  fake_.Order({.kind = Fault::Kind::kLoseReply, .route = kCreate});
  // The process dies: the call ends in the middle of what follows, and the list lags.
  fake_.SetLag(3);
  fake_.Order({.kind = Fault::Kind::kHold, .route = kList, .after = 1});
  auto cancellation = std::make_shared<common::Cancellation>();
  std::thread killer([&] {
    while (fake_.CountOf(kList) < 2) std::this_thread::yield();
    cancellation->Cancel();
  });
  const auto call = MakeCall(kUid, record_, absl::Minutes(2), cancellation);
  EXPECT_TRUE(absl::IsCancelled(driver_.Create(*call, machine).status()));
  killer.join();
  fake_.Release();
  machine.state = record_.checkpoints.back();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.CountOf(kCreate), 1);
  EXPECT_EQ(fake_.DropletNames().size(), 1u);
}

TEST_F(DigitalOceanDriverTest, ADropletThatWasMadeTwiceIsKeptOnce) {
  fake_.Order({.kind = Fault::Kind::kLoseReply, .route = kCreate});
  fake_.SetLag(8);  // For longer than the driver looks.
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.CountOf(kCreate), 2);
  fake_.SetLag(0);
  // The first one shows at last; whoever comes next puts it in order.
  while (fake_.DropletNames().size() > 1) ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
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

TEST_F(DigitalOceanDriverTest, AnImportedMachineWithoutADropletSaysSo) {
  MachineSpec machine = Machine();
  machine.state_version = kImportedStateVersion;
  for (const char* const fields : {"", "[]", R"({"DropletID": "x"})", R"({"DropletID": 0})"}) {
    machine.state = fields;
    EXPECT_EQ(driver_.UpgradeState(*Call(), machine).status().code(),
              absl::StatusCode::kFailedPrecondition)
        << fields;
  }
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

TEST_F(DigitalOceanDriverTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const char* const kAct = "POST /v2/droplets/{id}/actions";
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
  }
}

TEST_F(DigitalOceanDriverTest, AGuestThatDoesNotShutDownIsNotKilled) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.IgnoreShutdown(true);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_THAT(std::string(stopped.status().message()), HasSubstr("kill it"));
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(DigitalOceanDriverTest, AnActionThatFailsIsAnError) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.FailNextAction();
  const auto killed = driver_.Kill(*Call(), machine);
  EXPECT_EQ(killed.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(killed.status().message()), HasSubstr("power_off"));
}

TEST_F(DigitalOceanDriverTest, TheDropletLimitIsAQuota) {
  fake_.SetDropletLimit(0);
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(common::ReasonOf(made.status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
}

TEST_F(DigitalOceanDriverTest, AWrongTokenIsNamedAndNotShown) {
  MachineSpec machine = Machine({SecretOption(kTokenFlag, "dop_v1_wrong")});
  const absl::Status status = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--digitalocean-access-token"));
  EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("dop_v1_wrong")));
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

TEST_F(DigitalOceanDriverTest, AProviderThatIsDownFailsTheCheck) {
  for (const char* const route : {"GET /v2/account", "GET /v2/sizes"}) {
    fake_.Order({.kind = Fault::Kind::kStatus, .route = route, .times = 5, .status = 503});
    const absl::Status status = PreCreateCheck({});
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  }
}

struct StateCase {
  absl::string_view status;
  MachineState state;
};
class StateTest : public DigitalOceanDriverTest, public testing::WithParamInterface<StateCase> {};
TEST_P(StateTest, IsOurs) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetPace(1000);
  fake_.SetStatus(UidTag(kUid), GetParam().status);
  EXPECT_EQ(Inspect(machine), GetParam().state);
}
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"active", machine::v1::MACHINE_STATE_RUNNING},
                             {"off", machine::v1::MACHINE_STATE_STOPPED},
                             {"archive", machine::v1::MACHINE_STATE_STOPPED},
                             {"unheard-of", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }),
                         [](const auto& info) {
                           return std::string(info.param.status.substr(0, 3));
                         });

TEST(StateOfDropletTest, ANewDropletIsStarting) {
  EXPECT_EQ(StateOfDroplet("new"), machine::v1::MACHINE_STATE_STARTING);
}

struct CheckCase {
  absl::string_view label;
  OptionValue option;
  /// Parts of the message; empty where the check passes.
  std::vector<std::string> words;
};
class CheckTest : public DigitalOceanDriverTest, public testing::WithParamInterface<CheckCase> {};
TEST_P(CheckTest, SaysWhatExists) {
  const absl::Status status = PreCreateCheck({GetParam().option});
  if (GetParam().words.empty()) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("--", GetParam().option.name())));
}
INSTANTIATE_TEST_SUITE_P(
    Options, CheckTest,
    testing::ValuesIn<CheckCase>({
        {"UnknownRegion", Option(kRegionFlag, "mars1"), {"\"mars1\"; there are ams3, nyc3"}},
        {"ClosedRegion", Option(kRegionFlag, "sfo1"), {"ams3, nyc3"}},
        {"UnknownSize", Option(kSizeFlag, "xxl"), {"size in region nyc3", "s-1vcpu-1gb"}},
        {"OldSize", Option(kSizeFlag, "512mb"), {}},
        {"UnknownImage", Option(kImageFlag, "beos"), {"debian-12-x64", "ubuntu-24-04-x64"}},
        {"ImageOfAnotherRegion", Option(kImageFlag, "ubuntu-26-04-x64"), {"in region nyc3"}},
        {"RetiredImage",
         Option(kImageFlag, "ubuntu-14-04-x64"),
         {"ubuntu-14-04-x64", "is gone", "newest Ubuntu LTS"}},
        {"OldDockerImage", Option(kImageFlag, "docker"), {}},
        {"UnknownVpc", Option(kVpcFlag, "none"), {"760e09ef"}},
        {"UnknownKey", Option(kKeyFlag, "99:99"), {"no ssh key \"99:99\""}},
        {"PrivateNetworking", BoolOption("digitalocean-private-networking", true), {}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(DigitalOceanDriverTest, WarnsOfOldNamesAndOpenDoors) {
  EXPECT_TRUE(PreCreateCheck({Option(kSizeFlag, "512mb"),
                              BoolOption("digitalocean-private-networking", true),
                              Option(kOpenCidrFlag, std::vector<std::string>{"0.0.0.0/0"})})
                  .ok());
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("now called s-1vcpu-512mb-10gb"),
                                       HasSubstr("no effect"), HasSubstr("whole internet")));
}

TEST_F(DigitalOceanDriverTest, BatchInspectReadsEachAccountOnce) {
  fake_.AddDroplets(450, kMachineTag, "machine-uid-");
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 450; ++i) machines.push_back(Machine({}, absl::StrCat(i)));
  machines.push_back(Machine({}, "unknown"));
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

TEST_F(DigitalOceanDriverTest, ASilentAccountDelaysNoOther) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const std::vector<MachineSpec> machines = {
      machine, Machine({SecretOption(kTokenFlag, "dop_v1_wrong")}, "other")};
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ((*seen)[0].state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ((*seen)[1].state(), machine::v1::MACHINE_STATE_TIMEOUT);
}

struct BadOptionCase {
  absl::string_view label;
  OptionValue option;
};
class BadOptionTest : public DigitalOceanDriverTest,
                      public testing::WithParamInterface<BadOptionCase> {};
TEST_P(BadOptionTest, IsRefusedByName) {
  const auto options =
      MakeOptions(driver_, {SecretOption(kTokenFlag, FakeDigitalOcean::kToken), GetParam().option});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("--digitalocean-"));
}
INSTANTIATE_TEST_SUITE_P(
    Options, BadOptionTest,
    testing::ValuesIn<BadOptionCase>({
        {"TokenWithALineEnd", SecretOption(kTokenFlag, "abc\nX-Evil: 1")},
        {"TagWithASpace", Option("digitalocean-tags", std::vector<std::string>{"a b"})},
        {"TagWithAQuote", Option("digitalocean-tags", std::vector<std::string>{"a\"b"})},
        {"CidrWithoutBits", Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.1"})},
        {"PlainHttp", Option("digitalocean-endpoint", "http://api.example.com")},
        {"TooMuchUserData", Option("digitalocean-userdata-text", std::string(70'000, 'x'))},
        {"Port", Option("digitalocean-ssh-port", 70'000)},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(DigitalOceanDriverTest, EveryRequestFitsThePublishedDescription) {
  if (!fake_.checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no digitalocean description";
  // The fake fails the test at the first request that does not fit.
  MachineSpec machine = Machine({Option(kVpcFlag, "760e09ef-dc84-11e8-981e-3cfdfeaae000"),
                                 Option(kOpenCidrFlag, std::vector<std::string>{"::/0"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_TRUE(driver_.Stop(*Call(), machine, std::nullopt).ok());
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_TRUE(driver_.ListInstances(*Call(), kTestOrchestrator, machine.options).ok());
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_GT(fake_.CountOf(""), 20);
}

}  // namespace
}  // namespace machine::driver::digitalocean
