#include "drivers/template/template_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/template/settings.h"
#include "services/common/status/status.h"
#include "tests/fakes/template/fake_template.h"

namespace machine::driver::template_cloud {
namespace {

using fakes::FakeTemplate;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kCreate[] = "POST /v1/instances";
constexpr char kList[] = "GET /v1/instances";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class TemplateDriverTest : public testing::Test {
 protected:
  TemplateDriverTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(const std::vector<OptionValue>& more = {}, absl::string_view uid = kUid) {
    std::vector<OptionValue> values = {SecretOption(kTokenFlag, FakeTemplate::kToken),
                                       Option("template-endpoint", fake_.url())};
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

  std::unique_ptr<DriverCall> Call() { return MakeCall(kUid, record_); }

  // Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  MachineState Inspect(const MachineSpec& machine) {
    const auto seen = driver_.Inspect(*Call(), machine);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  FakeTemplate fake_;
  CallRecord record_;
  TemplateDriver driver_;
};

TEST_F(TemplateDriverTest, CreatesWithDefaultsThatAreFoundByQuery) {
  MachineSpec machine = Machine();
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  const auto made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const nlohmann::json asked = fake_.LastCreate();
  EXPECT_EQ(asked["name"], "dev-one");
  EXPECT_EQ(asked["region"], "north");
  EXPECT_EQ(asked["image"], "ubuntu-24.04");
  EXPECT_EQ(asked["size"], "small");
  EXPECT_EQ(asked["tags"],
            nlohmann::json({UidTag(kUid), "docker-machine", OrchestratorTag(kTestOrchestrator)}));
  const machine::v1::Endpoint& endpoint = made->endpoint();
  ASSERT_EQ(endpoint.ip_addresses_size(), 1);
  EXPECT_EQ(endpoint.ssh_user(), "root");
  EXPECT_EQ(endpoint.docker_url(), absl::StrCat("tcp://", endpoint.ip_addresses(0), ":2376"));
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
}

// Whatever goes wrong on the way, a create that is tried again ends with one instance, and a remove
// with none.
struct FaultCase {
  absl::string_view label;
  Fault fault;
  int lag = 0;
};
class FaultTest : public TemplateDriverTest, public testing::WithParamInterface<FaultCase> {};
TEST_P(FaultTest, EndsWithOneInstanceAndThenNone) {
  fake_.SetLag(GetParam().lag);
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine();
  absl::StatusOr<Observation> made = Create(machine);
  // As the orchestrator does with errors that may pass.
  for (int i = 0; i < 3 && !made.ok() && IsTransient(made.status()); ++i) made = Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_EQ(fake_.InstanceNames().size(), 1u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_THAT(fake_.InstanceNames(), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::ValuesIn<FaultCase>({
        {"ThrottledCreate", {.kind = Fault::Kind::kThrottle, .route = kCreate}},
        {"Create500", {.kind = Fault::Kind::kStatus, .route = kCreate}},
        {"Create500ButMade", {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate}},
        {"Create500ButMadeAndUnseen",
         {.kind = Fault::Kind::kStatusAfterEffect, .route = kCreate},
         4},
        {"LostReply", {.kind = Fault::Kind::kLoseReply, .route = kCreate}},
        {"LostReplyAndUnseen", {.kind = Fault::Kind::kLoseReply, .route = kCreate}, 4},
        {"GarbageCreate", {.kind = Fault::Kind::kGarbage, .route = kCreate}},
        {"UnseenForAWhile", {.kind = Fault::Kind::kGarbage, .route = "GET /v1/sizes"}, 5},
        {"GarbageList", {.kind = Fault::Kind::kGarbage, .route = kList}},
        {"List500", {.kind = Fault::Kind::kStatus, .route = kList, .times = 2}},
        {"PollsFail",
         {.kind = Fault::Kind::kStatus, .route = "GET /v1/instances/{id}", .times = 7}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(TemplateDriverTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  const char* const kAct = "POST /v1/instances/{id}/{verb}";
  for (const Fault::Kind kind : {Fault::Kind::kLoseReply, Fault::Kind::kStatus,
                                 Fault::Kind::kStatusAfterEffect, Fault::Kind::kThrottle}) {
    fake_.Order({.kind = kind, .route = kAct});
    const auto stopped = driver_.Stop(*Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->endpoint().docker_url(), "");
    fake_.Order({.kind = kind, .route = kAct});
    const auto started = driver_.Start(*Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
  }
}

TEST_F(TemplateDriverTest, AGuestThatDoesNotShutDownIsNotKilled) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  fake_.IgnoreStop(true);
  const auto stopped = driver_.Stop(*Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Kill(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Restart(*Call(), machine).ok());
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(TemplateDriverTest, TheLimitOfTheAccountIsAQuota) {
  fake_.SetLimit(0);
  MachineSpec machine = Machine();
  EXPECT_EQ(common::ReasonOf(Create(machine).status()), machine::v1::ERROR_REASON_PROVIDER_QUOTA);
}

TEST_F(TemplateDriverTest, AWrongTokenIsNamedAndNotShown) {
  const absl::Status status =
      driver_.PreCreateCheck(*Call(), Machine({SecretOption(kTokenFlag, "wrong-token")}));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--template-token"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wrong-token")));
}

struct StateCase {
  absl::string_view status;
  MachineState state;
};
class StateTest : public testing::TestWithParam<StateCase> {};
TEST_P(StateTest, IsOurs) { EXPECT_EQ(StateOfInstance(GetParam().status), GetParam().state); }
INSTANTIATE_TEST_SUITE_P(States, StateTest,
                         testing::ValuesIn<StateCase>({
                             {"building", machine::v1::MACHINE_STATE_STARTING},
                             {"running", machine::v1::MACHINE_STATE_RUNNING},
                             {"stopping", machine::v1::MACHINE_STATE_STOPPING},
                             {"stopped", machine::v1::MACHINE_STATE_STOPPED},
                             {"unknown", machine::v1::MACHINE_STATE_UNSPECIFIED},
                         }),
                         [](const auto& info) { return std::string(info.param.status); });

struct CheckCase {
  absl::string_view label;
  OptionValue option;
  /// A part of the message.
  absl::string_view words;
};
class CheckTest : public TemplateDriverTest, public testing::WithParamInterface<CheckCase> {};
TEST_P(CheckTest, SaysWhatExists) {
  const absl::Status status = driver_.PreCreateCheck(*Call(), Machine({GetParam().option}));
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(GetParam().words)));
}
INSTANTIATE_TEST_SUITE_P(
    Options, CheckTest,
    testing::ValuesIn<CheckCase>({
        {"UnknownRegion", Option(kRegionFlag, "mars"), "\"mars\"; there are north, south"},
        {"UnknownSize", Option(kSizeFlag, "xxl"), "there are large, small, tiny"},
        {"SizeOfAnotherRegion", Option(kSizeFlag, "huge"), "in region north"},
        {"UnknownImage", Option(kImageFlag, "beos"), "there are debian-12"},
        {"RetiredImage", Option(kImageFlag, "ubuntu-14.04"), "newest Ubuntu LTS"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

struct BadOptionCase {
  absl::string_view label;
  OptionValue option;
};
class BadOptionTest : public testing::TestWithParam<BadOptionCase> {};
TEST_P(BadOptionTest, IsRefusedByName) {
  const TemplateDriver driver;
  const auto options = MakeOptions(driver, {SecretOption(kTokenFlag, "t"), GetParam().option});
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(options.status().message()), HasSubstr("--template-"));
}
INSTANTIATE_TEST_SUITE_P(Options, BadOptionTest,
                         testing::ValuesIn<BadOptionCase>({
                             {"TokenWithALineEnd", SecretOption(kTokenFlag, "abc\nX-Evil: 1")},
                             {"PlainHttp", Option("template-endpoint", "http://api.example.com")},
                             {"TooMuchUserData",
                              Option("template-userdata-text", std::string(70'000, 'x'))},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(TemplateDriverTest, BatchInspectReadsEachAccountOnce) {
  fake_.AddInstances(250, kMachineTag, UidTag(""));
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 250; ++i) machines.push_back(Machine({}, absl::StrCat(i)));
  machines.push_back(Machine({}, "unknown"));
  fake_.ForgetRequests();
  const auto seen = driver_.BatchInspect(*Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), 251u);
  for (int i = 0; i < 250; ++i) {
    EXPECT_EQ((*seen)[i].state(), machine::v1::MACHINE_STATE_RUNNING) << i;
  }
  EXPECT_EQ(seen->back().state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  // Three pages of 100, and another look for the one that is missing.
  EXPECT_EQ(fake_.CountOf(""), 4);
}

}  // namespace
}  // namespace machine::driver::template_cloud
