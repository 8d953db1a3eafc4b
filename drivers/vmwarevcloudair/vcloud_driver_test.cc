#include "drivers/vmwarevcloudair/vcloud_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/status/status.h"
#include "tests/fakes/vcloud/fake_vcloud.h"

namespace machine::driver::vmwarevcloudair {
namespace {

using fakes::FakeVcloud;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kCompose[] = "POST /api/vdc/1/action/composeVApp";
constexpr char kPublicIp[] = "203.0.113.5";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast, .settling = {.looks = 4, .backoff = fast}, .grace = absl::Seconds(30)};
}

class VcloudDriverTest : public testing::Test {
 protected:
  VcloudDriverTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  static std::vector<OptionValue> AccountOptions(const FakeVcloud& fake) {
    return {Option(kHrefFlag, fake.url()), Option(kOrgFlag, FakeVcloud::kOrg),
            Option(kUsernameFlag, FakeVcloud::kUser),
            SecretOption(kPasswordFlag, FakeVcloud::kPassword)};
  }

  MachineSpec MachineOf(const std::vector<OptionValue>& values) {
    MachineSpec machine;
    machine.uid = kUid;
    machine.name = "dev";
    machine.ssh_public_key = std::string(kTestKey);
    const auto options = MakeOptions(driver_, values);
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  MachineSpec Machine(const std::vector<OptionValue>& more = {}) {
    std::vector<OptionValue> values = AccountOptions(fake_);
    values.insert(values.end(), more.begin(), more.end());
    return MachineOf(values);
  }

  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return MakeCall(kUid, record_, timeout);
  }

  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (made.ok()) {
      machine.state = made->driver_state().data();
    } else if (!record_.checkpoints.empty()) {
      machine.state = record_.checkpoints.back();
    }
    return made;
  }

  void ExpectState(const absl::StatusOr<Observation>& seen, MachineState state) {
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->state(), state);
  }

  // Of the last request there; empty for none.
  std::string LastBody(absl::string_view method, absl::string_view path) const {
    std::string body;
    for (const fakes::Request& request : fake_.requests()) {
      if (request.method == method && request.path == path) body = request.body;
    }
    return body;
  }

  void ExpectNothingLeft() {
    EXPECT_THAT(fake_.VappNames(), IsEmpty());
    EXPECT_THAT(fake_.Rules(), ElementsAre("theirs"));
  }

  std::string Refusal(const std::vector<OptionValue>& options) {
    const absl::Status status = driver_.PreCreateCheck(*Call(), Machine(options));
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
    return std::string(status.message());
  }

  CallRecord record_;
  FakeVcloud fake_;
  VcloudDriver driver_;
};

TEST_F(VcloudDriverTest, KeepsTheContractAndLeavesNothingBehind) {
  const auto driver =
      conformance::DriverProcess::Start("drivers/vmwarevcloudair/machine-driver-vmwarevcloudair");
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = AccountOptions(fake_);
  options.different_options = options.options;
  options.different_options.push_back(Option(kCpuFlag, 4));
  options.vanish = [this](absl::string_view uid) {
    fake_.Vanish(UidTag(uid));
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  ExpectNothingLeft();
}

TEST_F(VcloudDriverTest, BodiesAreValidatedByThePublishedSchemas) {
  if (!FakeVcloud::CanValidate()) GTEST_SKIP() << "MACHINE_SPECS_DIR or xmllint is not there";
}

TEST_F(VcloudDriverTest, LivesAWholeLifeBehindAnEdgeGateway) {
  fake_.SetTaskLooks(2);
  MachineSpec machine = Machine(
      {Option(kPublicIpFlag, kPublicIp), Option(kCpuFlag, 2), Option(kNetworkFlag, "other")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  const auto made = Create(machine);
  ExpectState(made, machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(made->endpoint().docker_url(), "tcp://203.0.113.5:2376");
  EXPECT_THAT(fake_.VappNames(), ElementsAre(UidTag(kUid)));
  EXPECT_THAT(fake_.Rules(), SizeIs(7));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(fake_.Rules(), SizeIs(7));
  ExpectState(driver_.Stop(*Call(), machine, std::nullopt), machine::v1::MACHINE_STATE_STOPPED);
  ExpectState(driver_.Start(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectState(driver_.Restart(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectState(driver_.Kill(*Call(), machine), machine::v1::MACHINE_STATE_STOPPED);
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectState(driver_.Inspect(*Call(), machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  EXPECT_TRUE(absl::IsNotFound(driver_.Start(*Call(), machine).status()));
  ExpectNothingLeft();
}

TEST_F(VcloudDriverTest, TheGatewayLetsInOnlyTheRangesThatAreNamed) {
  MachineSpec machine = Machine(
      {Option(kPublicIpFlag, kPublicIp),
       Option(kOpenCidrFlag, std::vector<std::string>{"203.0.113.0/24", "198.51.100.7/32"})});
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), machine).ok());
  EXPECT_THAT(record_.log, Not(Contains(HasSubstr("whole internet"))));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  // Three ports, each with one rule for the address and one for each range.
  EXPECT_THAT(fake_.Rules(), SizeIs(1 + 3 * 3));
  const std::string body = LastBody("POST", "/api/admin/edgeGateway/1/action/configureServices");
  for (const char* const port : {"22", "2376", "3376"}) {
    EXPECT_THAT(body, HasSubstr(absl::StrCat("<OriginalPort>", port, "</OriginalPort>")));
    EXPECT_THAT(body,
                HasSubstr(absl::StrCat("<DestinationPortRange>", port, "</DestinationPortRange>")));
  }
  EXPECT_THAT(body, AllOf(HasSubstr("<SourceIp>203.0.113.0/24</SourceIp>"),
                          HasSubstr("<SourceIp>198.51.100.7/32</SourceIp>")));
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
  // Without ranges all may come in, with a warning.
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), Machine({Option(kPublicIpFlag, kPublicIp)})).ok());
  EXPECT_THAT(record_.log, Contains(HasSubstr("--vmwarevcloudair-open-cidr: the whole internet")));
}

TEST_F(VcloudDriverTest, UserDataIsAPropertyOfTheGuest) {
  MachineSpec machine = Machine({Option(kUserDataTextFlag, "#cloud-config\n")});
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(
      LastBody("POST", "/api/vdc/1/action/composeVApp"),
      AllOf(HasSubstr("ovf:key=\"user-data\""), HasSubstr("ovf:value=\"I2Nsb3VkLWNvbmZpZwo=\"")));
}

TEST_F(VcloudDriverTest, WithoutAnEndpointTheServiceIsNamedAsGone) {
  const absl::Status status = driver_.PreCreateCheck(
      *Call(), MachineOf({Option(kUsernameFlag, "u"), SecretOption(kPasswordFlag, "p")}));
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("vCloud Air was shut down"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--vmwarevcloudair-href"));
}

TEST_F(VcloudDriverTest, WhatTheOrganisationHasNotIsRefusedWithWhatItHas) {
  EXPECT_THAT(Refusal({Option(kVdcFlag, "x")}), HasSubstr("vdc1"));
  EXPECT_THAT(Refusal({Option(kNetworkFlag, "x")}), HasSubstr("vdc1-default-routed"));
  EXPECT_THAT(Refusal({Option(kCatalogFlag, "x")}), HasSubstr("Public Catalog"));
  EXPECT_THAT(Refusal({Option(kItemFlag, "x")}), HasSubstr("Ubuntu 24.04"));
  EXPECT_THAT(Refusal({Option(kCatalogFlag, "mine")}), HasSubstr("sees no item"));
  EXPECT_THAT(Refusal({Option(kPublicIpFlag, kPublicIp), Option(kGatewayFlag, "x")}),
              HasSubstr("vdc1"));
}

TEST_F(VcloudDriverTest, AGatewayOfNsxTIsRefusedWithWhatWorksInstead) {
  const std::vector<OptionValue> with_public_ip = {Option(kPublicIpFlag, kPublicIp)};
  for (const auto gateway :
       {FakeVcloud::Gateway::kNsxTInQuery, FakeVcloud::Gateway::kNsxTInGateway}) {
    fake_.BackGateway(gateway);
    EXPECT_THAT(Refusal(with_public_ip), AllOf(HasSubstr("vdc1 is backed by NSX-T"),
                                               HasSubstr("leave --vmwarevcloudair-publicip out"),
                                               HasSubstr("--vmwarevcloudair-orgvdcnetwork")));
  }
  fake_.BackGateway(FakeVcloud::Gateway::kNoRules);
  EXPECT_THAT(Refusal(with_public_ip),
              AllOf(HasSubstr("lets this user write no rules"), HasSubstr("NSX-T"),
                    HasSubstr("Gateway: Configure Services")));
  MachineSpec refused = Machine(with_public_ip);
  EXPECT_THAT(Create(refused).status().message(), HasSubstr("lets this user write no rules"));
  ExpectNothingLeft();
  // What the refusal advises works.
  MachineSpec machine = Machine();
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

TEST_F(VcloudDriverTest, AnApiTokenIsEnoughAndAWrongOneIsRefused) {
  const auto with = [&](absl::string_view token) {
    return MachineOf({Option(kHrefFlag, fake_.url() + "/api"), Option(kOrgFlag, FakeVcloud::kOrg),
                      SecretOption(kTokenFlag, token)});
  };
  const absl::Status status = driver_.PreCreateCheck(*Call(), with(FakeVcloud::kToken));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(absl::IsUnauthenticated(driver_.PreCreateCheck(*Call(), with("wrong"))));
}

TEST_F(VcloudDriverTest, ASessionThatEndedIsOpenedAnew) {
  MachineSpec machine = Machine();
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  fake_.Expire();
  ExpectState(driver_.Stop(*Call(), machine, std::nullopt), machine::v1::MACHINE_STATE_STOPPED);
}

TEST_F(VcloudDriverTest, AVappThatCouldNotBeComposedIsRemoved) {
  fake_.SetTaskLooks(1);
  fake_.FailNextTask("INSUFFICIENT_STORAGE");
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  EXPECT_TRUE(absl::IsResourceExhausted(made.status())) << made.status();
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectNothingLeft();
}

TEST_F(VcloudDriverTest, ABusyEntityIsWaitedFor) {
  MachineSpec machine = Machine({Option(kPublicIpFlag, kPublicIp)});
  fake_.BeBusy(2);
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  fake_.BeBusy(2);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

struct FaultRow {
  const char* name;
  Fault fault;
};

class FaultTest : public VcloudDriverTest, public testing::WithParamInterface<FaultRow> {};

TEST_P(FaultTest, EndsWithOneMachineAndThenWithNone) {
  fake_.Order(GetParam().fault);
  MachineSpec machine = Machine({Option(kPublicIpFlag, kPublicIp)});
  auto made = Create(machine);
  if (!made.ok()) made = Create(machine);
  ExpectState(made, machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_THAT(fake_.VappNames(), SizeIs(1));
  EXPECT_THAT(fake_.Rules(), SizeIs(7));
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

constexpr char kPower[] = "POST /api/vApp/{id}/power/action/{action}";
constexpr char kRules[] = "POST /api/admin/edgeGateway/1/action/configureServices";

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::Values(
        FaultRow{"Compose500", {.kind = Fault::Kind::kStatus, .route = kCompose}},
        FaultRow{"ComposeThrottled", {.kind = Fault::Kind::kThrottle, .route = kCompose}},
        FaultRow{"ComposeLost", {.kind = Fault::Kind::kLoseReply, .route = kCompose}},
        FaultRow{"ComposeGarbage", {.kind = Fault::Kind::kGarbage, .route = kCompose}},
        FaultRow{"Compose503After",
                 {.kind = Fault::Kind::kStatusAfterEffect, .route = kCompose, .status = 503}},
        FaultRow{"PowerLost", {.kind = Fault::Kind::kLoseReply, .route = kPower}},
        FaultRow{"Power500", {.kind = Fault::Kind::kStatus, .route = kPower}},
        FaultRow{"RulesLost", {.kind = Fault::Kind::kLoseReply, .route = kRules}},
        FaultRow{"Rules503After",
                 {.kind = Fault::Kind::kStatusAfterEffect, .route = kRules, .status = 503}},
        FaultRow{"QueryGarbage", {.kind = Fault::Kind::kGarbage, .route = "GET /api/query"}}),
    [](const auto& info) { return info.param.name; });

struct StateRow {
  const char* status;
  MachineState state;
};

class StateTest : public testing::TestWithParam<StateRow> {};

TEST_P(StateTest, IsAsTheTableSays) { EXPECT_EQ(StateOfVm(GetParam().status), GetParam().state); }

INSTANTIATE_TEST_SUITE_P(
    All, StateTest,
    testing::Values(StateRow{"POWERED_ON", machine::v1::MACHINE_STATE_RUNNING},
                    StateRow{"POWERED_OFF", machine::v1::MACHINE_STATE_STOPPED},
                    StateRow{"PARTIALLY_POWERED_OFF", machine::v1::MACHINE_STATE_STOPPED},
                    StateRow{"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
                    StateRow{"PARTIALLY_SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
                    StateRow{"UNRESOLVED", machine::v1::MACHINE_STATE_STARTING},
                    StateRow{"WAITING_FOR_INPUT", machine::v1::MACHINE_STATE_RUNNING},
                    StateRow{"FAILED_CREATION", machine::v1::MACHINE_STATE_ERROR},
                    StateRow{"INCONSISTENT_STATE", machine::v1::MACHINE_STATE_ERROR},
                    StateRow{"UNRECOGNIZED", machine::v1::MACHINE_STATE_ERROR},
                    StateRow{"DISCONNECTED", machine::v1::MACHINE_STATE_TIMEOUT},
                    StateRow{"UNKNOWN", machine::v1::MACHINE_STATE_TIMEOUT},
                    StateRow{"new word", machine::v1::MACHINE_STATE_UNSPECIFIED}));

TEST_F(VcloudDriverTest, ABatchIsAFewPagesOfOneQuery) {
  constexpr int kMachines = 500;
  fake_.AddMachines(kMachines, UidTag(""));
  std::vector<MachineSpec> machines;
  const MachineSpec one = Machine();
  for (int i = 0; i < kMachines; ++i) {
    machines.push_back({.uid = absl::StrCat(i), .options = one.options});
  }
  fake_.ForgetRequests();
  const absl::Time start = absl::Now();
  const auto seen = driver_.BatchInspect(*MakeCall("", record_), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  for (const Observation& each : *seen) {
    EXPECT_EQ(each.state(), machine::v1::MACHINE_STATE_RUNNING);
  }
  EXPECT_EQ(fake_.CountOf("GET /api/query"), 4);
  std::printf("%d machines: %.0f ms\n", kMachines, absl::ToDoubleMilliseconds(absl::Now() - start));
}

TEST_F(VcloudDriverTest, WhatIsWrongInItselfIsRefused) {
  const auto refused = [&](const std::vector<OptionValue>& options) {
    return common::ReasonOf(MakeOptions(driver_, options).status()) ==
           machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE;
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({Option(kUsernameFlag, "u")}));
  EXPECT_TRUE(refused({Option(kHrefFlag, "https://x"), SecretOption(kTokenFlag, "t")}));
  EXPECT_TRUE(refused({Option(kHrefFlag, "http://example.com"), Option(kOrgFlag, "o"),
                       SecretOption(kTokenFlag, "t")}));
  EXPECT_TRUE(refused({SecretOption(kTokenFlag, "t"), Option(kPublicIpFlag, "1.2.3")}));
  EXPECT_TRUE(refused({SecretOption(kTokenFlag, "t"), Option("vmwarevcloudair-ssh-user", "a;b")}));
  const auto ranges = [&](std::vector<std::string> cidrs) {
    return std::vector<OptionValue>{SecretOption(kTokenFlag, "t"), Option(kPublicIpFlag, kPublicIp),
                                    Option(kOpenCidrFlag, std::move(cidrs))};
  };
  EXPECT_FALSE(refused(ranges({"203.0.113.0/24"})));
  EXPECT_TRUE(refused(ranges({"everybody"})));
  EXPECT_TRUE(refused(ranges({"2001:db8::/32"})));
  EXPECT_TRUE(refused({SecretOption(kTokenFlag, "t"),
                       Option(kOpenCidrFlag, std::vector<std::string>{"203.0.113.0/24"})}));
  EXPECT_TRUE(
      refused({SecretOption(kTokenFlag, "t"), Option(kUserDataTextFlag, std::string(50000, 'x'))}));
}

TEST(ImportTest, AMachineOfTheOriginalIsKnownByItsVapp) {
  EXPECT_EQ(ImportedState(R"({"VAppID": "https://x/api/vApp/vapp-1"})")->vapp(),
            "https://x/api/vApp/vapp-1");
  EXPECT_TRUE(absl::IsFailedPrecondition(ImportedState("{}").status()));
}

}  // namespace
}  // namespace machine::driver::vmwarevcloudair
