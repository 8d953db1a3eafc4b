#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevcloudair/vcloud_fixture.h"

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

constexpr char kCompose[] = "POST /api/vdc/1/action/composeVApp";

using VcloudDriverTest = VcloudFixture;

TEST_F(VcloudDriverTest, BodiesAreValidatedByThePublishedSchemas) {
  if (!FakeVcloud::CanValidate()) GTEST_SKIP() << "MACHINE_SPECS_DIR or xmllint is not there";
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

TEST_F(VcloudDriverTest, AnApiTokenIsEnoughAndAWrongOneIsRefused) {
  const auto with = [&](absl::string_view token) {
    return MachineOf({Option(kHrefFlag, fake_.url() + "/api"), Option(kOrgFlag, FakeVcloud::kOrg),
                      SecretOption(kTokenFlag, token)});
  };
  const absl::Status status = driver_.PreCreateCheck(*Call(), with(FakeVcloud::kToken));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(absl::IsUnauthenticated(driver_.PreCreateCheck(*Call(), with("wrong"))));
}

TEST_F(VcloudDriverTest, SpeaksTheNewestVersionThatBothKnow) {
  const auto accepted = [&] {
    std::string accept;
    for (const fakes::Request& request : fake_.requests()) {
      if (request.path == "/api/org") accept = request.Header("Accept");
    }
    return accept;
  };
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), Machine()).ok());
  EXPECT_EQ(accepted(), "application/*+xml;version=37.0");
  fake_.OfferVersions({"38.0", "39.0"});
  fake_.Expire();
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), Machine()).ok());
  EXPECT_EQ(accepted(), "application/*+xml;version=38.0");
  fake_.OfferVersions({});
  fake_.Expire();
  const absl::Status none = driver_.PreCreateCheck(*Call(), Machine());
  EXPECT_THAT(std::string(none.message()), HasSubstr("names no version of its API"));
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
  MachineSpec machine = Machine();
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
  MachineSpec machine = Machine();
  auto made = Create(machine);
  if (!made.ok()) made = Create(machine);
  ExpectState(made, machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(fake_.pending_faults(), 0);
  EXPECT_THAT(fake_.VappNames(), SizeIs(1));
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

constexpr char kPower[] = "POST /api/vApp/{id}/power/action/{action}";

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
