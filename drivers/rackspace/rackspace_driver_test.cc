#include "drivers/rackspace/rackspace_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::driver::rackspace {
namespace {

using fakes::FakeOpenStack;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kCreate[] = "POST /v2/123456/servers";
constexpr char kList[] = "GET /v2/123456/servers/detail";

openstack::Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast, .retry = fast, .settling = {.looks = 6, .backoff = fast}};
}

class RackspaceDriverTest : public testing::Test {
 protected:
  RackspaceDriverTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  // A later option replaces an earlier one.
  std::vector<OptionValue> Values(const std::vector<OptionValue>& more) const {
    std::vector<OptionValue> values = {
        Option("rackspace-username", "demo"),
        SecretOption("rackspace-api-key", FakeOpenStack::kApiKey),
        Option("rackspace-region", "IAD"),
        Option("rackspace-endpoint", absl::StrCat(fake_.url(), "/v2.0"))};
    for (const OptionValue& option : more) {
      std::erase_if(values, [&](const OptionValue& each) { return each.name() == option.name(); });
      values.push_back(option);
    }
    return values;
  }

  MachineSpec Machine(const std::vector<OptionValue>& more = {}, absl::string_view uid = kUid) {
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = "dev.One";
    machine.ssh_public_key = std::string(kTestKey);
    const absl::StatusOr<Options> options = MakeOptions(driver_, Values(more));
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  std::unique_ptr<DriverCall> Call() { return MakeCall(kUid, record_); }

  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  absl::Status PreCreateCheck(const std::vector<OptionValue>& more) {
    return driver_.PreCreateCheck(*Call(), Machine(more));
  }

  FakeOpenStack fake_{FakeOpenStack::Style::kRackspace};
  CallRecord record_;
  RackspaceDriver driver_;
};

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
    RackspaceDriver driver(FastTiming());
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

struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public RackspaceDriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneServerAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine();
  absl::StatusOr<Observation> made = Create(machine);
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.ServerNames().size(), 1u);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ServerNames(), IsEmpty());
  EXPECT_THAT(fake_.KeyPairNames(), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"Throttled", {.kind = Fault::Kind::kThrottle, .route = kCreate}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = kCreate}},
        {"Create500ButMade", {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate}},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = kCreate}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = kCreate}, 4},
        {"Garbage", {.kind = Fault::Kind::kGarbage, .route = kList}},
        {"NoVersions", {.kind = Fault::Kind::kStatus, .route = "GET /v2/", .status = 404}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

// Without ports nothing keeps a second server from being made.
TEST_F(RackspaceDriverTest, AServerThatWasMadeTwiceIsKeptOnce) {
  fake_.Order({.kind = Fault::Kind::kLoseReply, .route = kCreate});
  fake_.SetLag(8);  // For longer than the driver looks.
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.CountOf(kCreate), 2);
  fake_.SetLag(0);
  while (fake_.ServerNames().size() > 1) ASSERT_TRUE(Create(machine).ok());
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.ServerNames(), IsEmpty());
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

struct CheckCase {
  absl::string_view label;
  OptionValue option;
  std::vector<std::string> words;
};
class CheckTest : public RackspaceDriverTest, public testing::WithParamInterface<CheckCase> {};
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
}
INSTANTIATE_TEST_SUITE_P(
    Options, CheckTest,
    testing::ValuesIn<CheckCase>({
        {"Region", Option("rackspace-region", "MARS"), {"--rackspace-region", "DFW, IAD"}},
        {"Flavor",
         Option("rackspace-flavor-id", "huge"),
         {"--rackspace-flavor-id", "general1-1 1 GB General Purpose v1"}},
        {"RetiredFlavor", Option("rackspace-flavor-id", "performance1-1"), {"general1-"}},
        {"RetiredImage",
         Option("rackspace-image-id", "598a4282-f14b-4e50-af4c-b3e52749d9f9"),
         {"is gone", "newest Ubuntu LTS"}},
        {"ImageName", Option("rackspace-image-name", "beos"), {"--rackspace-image-name", "Ubuntu"}},
        {"KnownImageName", Option("rackspace-image-name", "Ubuntu 25.10"), {}},
        {"DockerInstall", BoolOption("rackspace-docker-install", false), {}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(RackspaceDriverTest, AWrongKeyIsRefusedWithoutBeingShown) {
  const absl::Status status = PreCreateCheck({SecretOption("rackspace-api-key", "wrong-secret")});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("Username or api key is invalid"),
                             testing::Not(HasSubstr("wrong-secret"))));
}

TEST_F(RackspaceDriverTest, BadOptionsAreRefusedByName) {
  const std::vector<OptionValue> bad = {
      Option("rackspace-endpoint", "http://identity.example/v2.0"),
      Option("rackspace-endpoint-type", "secretURL"),
      Option("rackspace-metadata", std::vector<std::string>{"no-value"}),
      Option("rackspace-ssh-port", 70'000)};
  for (const OptionValue& option : bad) {
    const auto options = MakeOptions(driver_, Values({option}));
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument) << option.name();
    EXPECT_THAT(std::string(options.status().message()),
                HasSubstr(absl::StrCat("--", option.name())));
  }
}

TEST_F(RackspaceDriverTest, BatchInspectReadsEachAccountOnce) {
  fake_.AddServers(450);
  fake_.SetPageSize(200);
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 450; ++i) machines.push_back(Machine({}, absl::StrCat(i)));
  ASSERT_TRUE(driver_.BatchInspect(*Call(), {machines[0]}).ok());
  fake_.ForgetRequests();
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  for (const Observation& each : *seen) {
    EXPECT_EQ(each.state(), machine::v1::MACHINE_STATE_RUNNING);
  }
  EXPECT_EQ(fake_.CountOf(""), 3);
}

}  // namespace
}  // namespace machine::driver::rackspace
