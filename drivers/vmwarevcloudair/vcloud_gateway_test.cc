// A machine at a public address of an edge gateway, which NSX-V backs, or NSX-T.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevcloudair/edge_gateway.h"
#include "drivers/vmwarevcloudair/vcloud_fixture.h"

namespace machine::driver::vmwarevcloudair {
namespace {

using fakes::FakeVcloud;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using Gateway = FakeVcloud::Gateway;

constexpr char kNatRules[] = "/cloudapi/1.0.0/edgeGateways/{id}/nat/rules";
constexpr char kFirewallRules[] = "/cloudapi/1.0.0/edgeGateways/{id}/firewall/rules";
constexpr char kConfigure[] =
    "POST /api/admin/edgeGateway/00000000-0000-4000-8000-000000000001/action/configureServices";

std::vector<OptionValue> Public(const std::vector<OptionValue>& more = {}) {
  std::vector<OptionValue> options = {Option(kPublicIpFlag, kPublicIp)};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

OptionValue Ranges() {
  return Option(kOpenCidrFlag, std::vector<std::string>{"203.0.113.0/24", "198.51.100.7/32"});
}

class NsxtTest : public VcloudFixture {
 protected:
  NsxtTest() { fake_.BackGateway(Gateway::kNsxT); }

  std::string TextOf(const std::string& rule, const char* key) const {
    const nlohmann::json found = fake_.EdgeRule(rule);
    EXPECT_TRUE(found.is_object()) << rule;
    return found.is_object() ? found.value(key, "") : "";
  }
};

class GatewayTest : public VcloudFixture, public testing::WithParamInterface<Gateway> {
 protected:
  GatewayTest() { fake_.BackGateway(GetParam()); }

  // Of one machine with `sources` ranges: NAT for three ports and the machine, a firewall rule for
  // each port and source and the machine; with NSX-T two firewall rules, three profiles, and an IP
  // set for the machine and for the sources.
  static size_t ObjectsOf(size_t sources) {
    if (GetParam() == Gateway::kNsxV) return 4 + 3 * sources + 1;
    return 4 + 2 + 3 + 1 + (sources > 1 ? 1 : 0);
  }
};

TEST_P(GatewayTest, AMachineLivesItsWholeLifeBehindIt) {
  fake_.SetTaskLooks(2);
  MachineSpec machine = Machine(Public({Option(kCpuFlag, 2), Option(kNetworkFlag, "other")}));
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  const auto made = Create(machine);
  ExpectState(made, machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(made->endpoint().docker_url(), "tcp://203.0.113.5:2376");
  EXPECT_THAT(fake_.VappNames(), testing::ElementsAre(UidTag(kUid)));
  EXPECT_THAT(OursOn(fake_), SizeIs(ObjectsOf(1)));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(OursOn(fake_), SizeIs(ObjectsOf(1)));
  EXPECT_THAT(OursOn(fake_), Each(testing::StartsWith(UidTag(kUid))));
  ExpectState(driver_.Stop(*Call(), machine, std::nullopt), machine::v1::MACHINE_STATE_STOPPED);
  ExpectState(driver_.Start(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectState(driver_.Restart(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectState(driver_.Kill(*Call(), machine), machine::v1::MACHINE_STATE_STOPPED);
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  ExpectRemoved(machine);
  ExpectState(driver_.Inspect(*Call(), machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  ExpectRemoved(machine);
  EXPECT_TRUE(absl::IsNotFound(driver_.Start(*Call(), machine).status()));
}

TEST_P(GatewayTest, WithoutStateEverythingIsFoundByTheUid) {
  MachineSpec machine = Machine(Public({Ranges()}));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(OursOn(fake_), SizeIs(ObjectsOf(2)));
  machine.state.reset();
  ExpectRemoved(machine);
}

TEST_P(GatewayTest, IsWaitedForWhileItIsBusy) {
  MachineSpec machine = Machine();
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  // The machine is there, so that what is busy next is the gateway.
  MachineSpec with_address = Machine(Public());
  with_address.state = machine.state;
  fake_.BeBusy(12);
  ExpectState(Create(with_address), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(OursOn(fake_), SizeIs(ObjectsOf(1)));
  fake_.BeBusy(12);
  ExpectRemoved(with_address);
}

TEST_P(GatewayTest, APortThatSomebodyElseHasIsRefusedByTheNameOfTheRule) {
  fake_.TakePort("theirs web", 2376);
  RememberTheirs();
  EXPECT_THAT(Refusal(Public()), AllOf(HasSubstr("port 2376 of 203.0.113.5"),
                                       HasSubstr("\"theirs web\" of edge gateway vdc1"),
                                       HasSubstr("or another port of the machine")));
  MachineSpec machine = Machine(Public());
  EXPECT_THAT(std::string(Create(machine).status().message()), HasSubstr("theirs web"));
  ExpectNothingLeft();
  // Another address, or other ports of this one, are free.
  EXPECT_TRUE(
      driver_.PreCreateCheck(*Call(), Machine({Option(kPublicIpFlag, "203.0.113.6")})).ok());
  machine = Machine(Public({Option("vmwarevcloudair-docker-port", 12376)}));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectRemoved(machine);
}

TEST_P(GatewayTest, TwoMachinesShareAnAddressByTheirPortsAndTheFirstHasThatOfSwarm) {
  MachineSpec machine = Machine(Public());
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  MachineSpec other = Machine(Public(
      {Option("vmwarevcloudair-docker-port", 12376), Option("vmwarevcloudair-ssh-port", 2222)}));
  other.uid = "11111111-d9cb-469f-a165-70867728950e";
  const absl::Status checked = driver_.PreCreateCheck(*Call(), other);
  EXPECT_TRUE(checked.ok()) << checked;
  ExpectState(Create(other), machine::v1::MACHINE_STATE_RUNNING);
  // The second lacks what the port of swarm takes: NAT, a firewall rule or a profile.
  EXPECT_THAT(OursOn(fake_), SizeIs(2 * ObjectsOf(1) - 2));
  const absl::Status removed = driver_.Remove(*Call(), other);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_THAT(OursOn(fake_), SizeIs(ObjectsOf(1)));
  ExpectRemoved(machine);
}

TEST_P(GatewayTest, ATaskThatFailsIsToldAndLeavesNothing) {
  MachineSpec machine = Machine();
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  // The machine is there, so that the next task is one of the gateway's.
  MachineSpec with_address = Machine(Public());
  with_address.state = machine.state;
  fake_.FailNextTask("NSX_REFUSED");
  EXPECT_THAT(std::string(Create(with_address).status().message()),
              HasSubstr("making rules of the edge gateway"));
  ExpectRemoved(with_address);
}

TEST_P(GatewayTest, WithoutRangesTheWholeInternetMayTryAndThatIsSaid) {
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), Machine(Public({Ranges()}))).ok());
  EXPECT_THAT(record_.log, Not(Contains(HasSubstr("whole internet"))));
  EXPECT_TRUE(driver_.PreCreateCheck(*Call(), Machine(Public())).ok());
  EXPECT_THAT(record_.log, Contains(HasSubstr("--vmwarevcloudair-open-cidr: the whole internet")));
}

INSTANTIATE_TEST_SUITE_P(Backed, GatewayTest, testing::Values(Gateway::kNsxV, Gateway::kNsxT),
                         [](const auto& info) {
                           return info.param == Gateway::kNsxV ? "ByNsxV" : "ByNsxT";
                         });

struct FaultRow {
  const char* name;
  Gateway gateway;
  Fault fault;
};

void PrintTo(const FaultRow& row, std::ostream* out) { *out << row.name; }

class GatewayFaultTest : public VcloudFixture, public testing::WithParamInterface<FaultRow> {};

TEST_P(GatewayFaultTest, EndsWithOneMachineAndThenWithNone) {
  fake_.BackGateway(GetParam().gateway);
  fake_.SetTaskLooks(1);
  MachineSpec machine = Machine(Public({Ranges()}));
  fake_.Order(GetParam().fault);
  auto made = Create(machine);
  if (!made.ok()) made = Create(machine);
  ExpectState(made, machine::v1::MACHINE_STATE_RUNNING);
  const bool in_create = fake_.pending_faults() == 0;
  EXPECT_THAT(fake_.VappNames(), SizeIs(1));
  EXPECT_THAT(OursOn(fake_), SizeIs(11));
  absl::Status removed = driver_.Remove(*Call(), machine);
  if (!removed.ok() && !in_create) removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(fake_.pending_faults(), 0);
  ExpectNothingLeft();
}

std::vector<FaultRow> Faults() {
  using Kind = Fault::Kind;
  std::vector<FaultRow> rows = {
      {"NsxVLost", Gateway::kNsxV, {.kind = Kind::kLoseReply, .route = kConfigure}},
      {"NsxV503After",
       Gateway::kNsxV,
       {.kind = Kind::kStatusAfterEffect, .route = kConfigure, .status = 503}},
      {"NsxVThrottled", Gateway::kNsxV, {.kind = Kind::kThrottle, .route = kConfigure}},
      {"NsxVGarbage", Gateway::kNsxV, {.kind = Kind::kGarbage, .route = kConfigure}},
  };
  const struct {
    const char* name;
    std::string route;
  } requests[] = {
      {"NatRule", absl::StrCat("POST ", kNatRules)},
      {"NatRuleDelete", absl::StrCat("DELETE ", kNatRules, "/{rule}")},
      {"NatList", absl::StrCat("GET ", kNatRules)},
      {"Firewall", absl::StrCat("PUT ", kFirewallRules)},
      {"FirewallRuleDelete", absl::StrCat("DELETE ", kFirewallRules, "/{rule}")},
      {"FirewallList", absl::StrCat("GET ", kFirewallRules)},
      {"IpSet", "POST /cloudapi/1.0.0/firewallGroups"},
      {"IpSetDelete", "DELETE /cloudapi/1.0.0/firewallGroups/{id}"},
      {"IpSetList", "GET /cloudapi/1.0.0/firewallGroups/summaries"},
      {"Profile", "POST /cloudapi/1.0.0/applicationPortProfiles"},
      {"ProfileDelete", "DELETE /cloudapi/1.0.0/applicationPortProfiles/{id}"},
      {"ProfileList", "GET /cloudapi/1.0.0/applicationPortProfiles"},
      {"Task", "GET /api/task/{id}"},
  };
  const struct {
    const char* name;
    Fault fault;
  } faults[] = {
      {"Lost", {.kind = Kind::kLoseReply}},
      {"503After", {.kind = Kind::kStatusAfterEffect, .status = 503}},
      {"500", {.kind = Kind::kStatus}},
      {"Conflict", {.kind = Kind::kStatus, .status = 409}},
      {"Throttled", {.kind = Kind::kThrottle}},
      {"Garbage", {.kind = Kind::kGarbage}},
  };
  static std::vector<std::string>& names = *new std::vector<std::string>;
  names.reserve(std::size(requests) * std::size(faults));
  for (const auto& request : requests) {
    for (const auto& fault : faults) {
      // What is read is in no conflict.
      if (absl::StartsWith(request.route, "GET") && absl::string_view(fault.name) == "Conflict") {
        continue;
      }
      names.push_back(absl::StrCat(request.name, fault.name));
      rows.push_back({names.back().c_str(), Gateway::kNsxT, fault.fault});
      rows.back().fault.route = request.route;
    }
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Faults, GatewayFaultTest, testing::ValuesIn(Faults()),
                         [](const auto& info) { return std::string(info.param.name); });

using NsxvTest = VcloudFixture;

TEST_F(NsxvTest, TheGatewayLetsInOnlyTheRangesThatAreNamed) {
  MachineSpec machine = Machine(Public({Ranges()}));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  const std::string body =
      LastBody("POST", absl::StrCat("/api/admin/edgeGateway/", FakeVcloud::kGatewayUuid,
                                    "/action/configureServices"));
  for (const char* const port : {"22", "2376", "3376"}) {
    EXPECT_THAT(body, HasSubstr(absl::StrCat("<OriginalPort>", port, "</OriginalPort>")));
    EXPECT_THAT(body,
                HasSubstr(absl::StrCat("<DestinationPortRange>", port, "</DestinationPortRange>")));
  }
  EXPECT_THAT(body, AllOf(HasSubstr("<SourceIp>203.0.113.0/24</SourceIp>"),
                          HasSubstr("<SourceIp>198.51.100.7/32</SourceIp>")));
  // And the machine out, by the public address.
  EXPECT_THAT(body, AllOf(HasSubstr("<RuleType>SNAT</RuleType>"),
                          HasSubstr("<TranslatedIp>203.0.113.5</TranslatedIp>"),
                          HasSubstr("<DestinationIp>Any</DestinationIp>")));
  ExpectRemoved(machine);
}

TEST_F(NsxvTest, AUserWhoMayWriteNoRulesIsToldOfTheRight) {
  fake_.BackGateway(Gateway::kNsxVToRead);
  EXPECT_THAT(Refusal(Public()), AllOf(HasSubstr("vdc1 lets this user write no rules"),
                                       HasSubstr("Gateway: Configure Services")));
  MachineSpec machine = Machine(Public());
  EXPECT_THAT(std::string(Create(machine).status().message()),
              HasSubstr("lets this user write no rules"));
  ExpectNothingLeft();
}

TEST_F(NsxtTest, TheRulesLetInTheRangesAndTheMachineOut) {
  MachineSpec machine = Machine(Public({Ranges()}));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  const std::string tag = UidTag(kUid);
  EXPECT_EQ(TextOf(tag + "-22", "type"), "DNAT");
  EXPECT_EQ(TextOf(tag + "-22", "externalAddresses"), "203.0.113.5");
  EXPECT_EQ(TextOf(tag + "-22", "dnatExternalPort"), "22");
  const std::string inside = TextOf(tag + "-22", "internalAddresses");
  EXPECT_THAT(inside, testing::StartsWith("192.168."));
  EXPECT_EQ(fake_.EdgeRule(tag)["type"], "SNAT");
  EXPECT_EQ(fake_.EdgeRule(tag)["internalAddresses"], inside);
  EXPECT_EQ(fake_.EdgeRule(tag + "-sources")["ipAddresses"],
            nlohmann::json({"203.0.113.0/24", "198.51.100.7/32"}));
  const nlohmann::json in = fake_.EdgeRule(tag + "-in");
  EXPECT_EQ(in["sourceFirewallGroups"][0]["id"], fake_.EdgeRule(tag + "-sources")["id"]);
  EXPECT_EQ(in["destinationFirewallGroups"].size(), 1u);
  EXPECT_EQ(in["applicationPortProfiles"].size(), 3u);
  const nlohmann::json out = fake_.EdgeRule(tag + "-out");
  EXPECT_EQ(out["sourceFirewallGroups"], in["destinationFirewallGroups"]);
  EXPECT_FALSE(out.contains("destinationFirewallGroups"));
  // Behind those of others, which are as they were.
  const std::string body = LastBody("PUT", absl::StrCat("/cloudapi/1.0.0/edgeGateways/",
                                                        fakes::NsxtEdge::kId, "/firewall/rules"));
  EXPECT_LT(body.find("\"theirs\""), body.find(tag));
  ExpectRemoved(machine);
}

TEST_F(NsxtTest, WhatWasChangedIsPutRight) {
  MachineSpec machine = Machine(Public({Ranges()}));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  const size_t before = OursOn(fake_).size();
  // The same machine is to be open to others now.
  MachineSpec changed = Machine(
      Public({Option(kOpenCidrFlag, std::vector<std::string>{"192.0.2.0/24", "192.0.3.0/24"})}));
  changed.state = machine.state;
  ExpectState(Create(changed), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(fake_.EdgeRule(UidTag(kUid) + "-sources")["ipAddresses"],
            nlohmann::json({"192.0.2.0/24", "192.0.3.0/24"}));
  // And then to all.
  MachineSpec open = Machine(Public());
  open.state = machine.state;
  ExpectState(Create(open), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_FALSE(fake_.EdgeRule(UidTag(kUid) + "-in").contains("sourceFirewallGroups"));
  EXPECT_EQ(OursOn(fake_).size(), before);
  ExpectRemoved(open);
}

TEST_F(NsxtTest, ListsOfManyPagesAreReadWholly) {
  fake_.AddToEdge(300);
  RememberTheirs();
  MachineSpec machine = Machine(Public({Ranges()}));
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  fake_.AddToEdge(300);
  RememberTheirs();
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(OursOn(fake_), SizeIs(11));
  ExpectRemoved(machine);
}

TEST_F(NsxtTest, AGatewayOfAVdcGroupHasItsIpSetsThere) {
  fake_.JoinVdcGroup();
  MachineSpec machine = Machine(Public());
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_THAT(fake_.EdgeRule(UidTag(kUid) + "-in").dump(), HasSubstr("firewallGroup"));
  ExpectRemoved(machine);
}

TEST_F(NsxtTest, AnAddressThatIsNotTheGatewaysIsRefusedWithThoseThatAre) {
  EXPECT_THAT(Refusal({Option(kPublicIpFlag, "198.51.100.1")}),
              AllOf(HasSubstr("198.51.100.1 is no address of edge gateway vdc1"),
                    HasSubstr("203.0.113.1-203.0.113.20")));
}

TEST_F(NsxtTest, ARightThatIsMissingIsNamed) {
  const auto forbid = [&](const std::string& route) {
    fake_.Order({.kind = Fault::Kind::kStatus, .route = route, .status = 403});
  };
  forbid(absl::StrCat("GET ", kNatRules));
  EXPECT_THAT(Refusal(Public()), HasSubstr("\"Organization vDC Gateway: View NAT\" is missing"));
  forbid(absl::StrCat("GET ", kFirewallRules));
  EXPECT_THAT(Refusal(Public()), HasSubstr("\"Organization vDC Gateway: View Firewall\""));
  MachineSpec machine = Machine(Public());
  forbid(absl::StrCat("POST ", kNatRules));
  EXPECT_THAT(std::string(Create(machine).status().message()),
              HasSubstr("\"Organization vDC Gateway: Configure NAT\" is missing"));
  ExpectRemoved(machine);
  forbid("POST /cloudapi/1.0.0/firewallGroups");
  EXPECT_THAT(std::string(Create(machine).status().message()),
              HasSubstr("\"Organization vDC Gateway: Configure Firewall\" is missing"));
  ExpectRemoved(machine);
}

TEST_F(NsxtTest, AMachineWhoseRulesCannotBeSeenIsNotForgotten) {
  MachineSpec machine = Machine(Public());
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  fake_.Order(
      {.kind = Fault::Kind::kStatus, .route = absl::StrCat("GET ", kFirewallRules), .status = 403});
  const absl::Status refused = driver_.Remove(*Call(), machine);
  EXPECT_FALSE(refused.ok());
  EXPECT_FALSE(absl::IsNotFound(refused)) << refused;
  EXPECT_THAT(fake_.VappNames(), SizeIs(1));
  ExpectRemoved(machine);
}

TEST_F(NsxtTest, ASecondMachineIsRefusedTheSamePorts) {
  MachineSpec machine = Machine(Public());
  ExpectState(Create(machine), machine::v1::MACHINE_STATE_RUNNING);
  MachineSpec other = Machine(Public());
  other.uid = "11111111-d9cb-469f-a165-70867728950e";
  const absl::Status refused = driver_.PreCreateCheck(*Call(), other);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(absl::StrCat("is taken by NAT rule \"", UidTag(kUid), "-")));
  ExpectRemoved(machine);
}

struct AddressRow {
  const char* name;
  const char* addresses;
  bool has;
};

class AddressTest : public testing::TestWithParam<AddressRow> {};

TEST_P(AddressTest, HasTheOneInQuestion) {
  EXPECT_EQ(HasAddress(GetParam().addresses, "203.0.113.5"), GetParam().has);
}

INSTANTIATE_TEST_SUITE_P(
    All, AddressTest,
    testing::Values(AddressRow{"Itself", "203.0.113.5", true},
                    AddressRow{"Another", "203.0.113.50", false},
                    AddressRow{"Network", "203.0.113.0/29", true},
                    AddressRow{"OtherNetwork", "203.0.113.8/29", false},
                    AddressRow{"Host", "203.0.113.5/32", true},
                    AddressRow{"Everything", "0.0.0.0/0", true},
                    AddressRow{"Range", "203.0.113.1-203.0.113.20", true},
                    AddressRow{"RangeWithSpaces", "203.0.113.5 - 203.0.113.6", true},
                    AddressRow{"OtherRange", "203.0.113.6-203.0.113.20", false},
                    AddressRow{"Ipv6", "2001:db8::5", false}, AddressRow{"Nothing", "", false},
                    AddressRow{"Words", "any", false}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace machine::driver::vmwarevcloudair
