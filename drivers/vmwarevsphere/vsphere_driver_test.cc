// What can be tested of the driver without a vSphere. The rest is in vsphere_vcsim_e2e_test.
#include "drivers/vmwarevsphere/vsphere_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevsphere/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<Options> OptionsOf(const std::vector<OptionValue>& more) {
  std::vector<OptionValue> values = {Option(kVcenterFlag, "vc.example.com"),
                                     Option(kUsernameFlag, "u"), SecretOption(kPasswordFlag, "p")};
  values.insert(values.end(), more.begin(), more.end());
  return MakeOptions(VsphereDriver(), values);
}

struct StateRow {
  const char* connection;
  const char* power;
  MachineState state;
};

class StateTest : public testing::TestWithParam<StateRow> {};

TEST_P(StateTest, IsAsTheTableSays) {
  EXPECT_EQ(StateOfVm(GetParam().connection, GetParam().power), GetParam().state);
}

INSTANTIATE_TEST_SUITE_P(
    All, StateTest,
    testing::Values(StateRow{"connected", "poweredOn", machine::v1::MACHINE_STATE_RUNNING},
                    StateRow{"connected", "poweredOff", machine::v1::MACHINE_STATE_STOPPED},
                    StateRow{"connected", "suspended", machine::v1::MACHINE_STATE_SAVED},
                    StateRow{"", "poweredOn", machine::v1::MACHINE_STATE_RUNNING},
                    StateRow{"disconnected", "poweredOn", machine::v1::MACHINE_STATE_TIMEOUT},
                    StateRow{"inaccessible", "poweredOff", machine::v1::MACHINE_STATE_ERROR},
                    StateRow{"invalid", "poweredOff", machine::v1::MACHINE_STATE_ERROR},
                    StateRow{"orphaned", "poweredOff", machine::v1::MACHINE_STATE_ERROR},
                    StateRow{"connected", "new word", machine::v1::MACHINE_STATE_UNSPECIFIED}));

TEST(SettingsTest, WhatIsWrongInItselfIsRefused) {
  const std::vector<std::pair<std::vector<OptionValue>, std::string>> rows = {
      {{Option(kVcenterFlag, "a b")}, "name or the address"},
      {{Option(kVcenterFlag, "http://vc.example.com")}, "https"},
      {{Option(kThumbprintFlag, "12:34")}, "64 hexadecimal digits"},
      {{Option(kCaFlag, "text")}, "PEM"},
      {{Option(kCloneFromFlag, "a"), Option(kLibraryFlag, "b/c")}, "give one of"},
      {{Option(kLibraryFlag, "b")}, "LIBRARY/ITEM"},
      {{Option(kIsoFlag, "ftp://x/y.iso")}, "http or https"},
      {{Option(kDatastoreFlag, "a"), Option(kPodFlag, "b")}, "--vmwarevsphere-datastore"},
      {{Option(kMemoryFlag, 1001)}, "multiple of 4"},
      {{Option("vmwarevsphere-cloud-config-text", std::string(50000, 'x'))}, "48 KiB"},
      {{Option("vmwarevsphere-cfgparam", std::vector<std::string>{"=x"})}, "KEY=VALUE"},
  };
  for (const auto& [options, words] : rows) {
    const absl::Status status = OptionsOf(options).status();
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_OPTION_OUT_OF_RANGE) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
}

TEST(SettingsTest, ServersAndThumbprintsAreReadInTheirForms) {
  const auto of = [](const std::vector<OptionValue>& options) {
    return *ReadCredentials(*OptionsOf(options));
  };
  EXPECT_EQ(of({}).port, 443);
  const Credentials url = of({Option(kVcenterFlag, "https://vc.example.com:8443/")});
  EXPECT_EQ(url.host, "vc.example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_FALSE(url.plain_http);
  EXPECT_EQ(of({Option(kVcenterFlag, "[2001:db8::1]")}).host, "2001:db8::1");
  EXPECT_TRUE(of({Option(kVcenterFlag, "http://127.0.0.1:80")}).plain_http);
  std::string thumbprint = "AB";
  for (int i = 1; i < 20; ++i) absl::StrAppend(&thumbprint, ":AB");
  EXPECT_EQ(of({Option(kThumbprintFlag, thumbprint)}).thumbprint.size(), 40);
}

TEST(ImportTest, AMachineOfTheOriginalIsKnownByItsName) {
  EXPECT_EQ(ImportedState(R"({"MachineName": "old"})")->imported_name(), "old");
  EXPECT_TRUE(absl::IsFailedPrecondition(ImportedState("{}").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ImportedState("garbage").status()));
}

TEST(FaultsTest, AreOurErrors) {
  EXPECT_TRUE(absl::IsUnauthenticated(ErrorOfFault("InvalidLogin", "no")));
  EXPECT_TRUE(absl::IsPermissionDenied(ErrorOfFault("NoPermission", "no")));
  EXPECT_TRUE(absl::IsAlreadyExists(ErrorOfFault("DuplicateName", "no")));
  EXPECT_TRUE(IsTransient(ErrorOfFault("TaskInProgress", "no")));
  EXPECT_FALSE(IsTransient(ErrorOfFault("InvalidPowerState", "no")));
  EXPECT_TRUE(absl::IsResourceExhausted(ErrorOfFault("NoDiskSpace", "no")));
  const absl::Status unknown = ErrorOfFault("SomethingNew", "words\nof it");
  EXPECT_TRUE(absl::IsFailedPrecondition(unknown));
  EXPECT_EQ(unknown.message(), "vSphere: words of it (SomethingNew)");
  EXPECT_EQ(FaultOf(unknown), "SomethingNew");
}

TEST(ObservationTest, TheFirstAddressIsTheOneToUse) {
  Properties vm;
  vm.ref = {"VirtualMachine", "vm-7"};
  const auto put = [&](const std::string& name, const std::string& inner) {
    vm.values.emplace_back(name, *ParseXml(absl::StrCat("<val>", inner, "</val>")));
  };
  put("runtime.connectionState", "connected");
  put("runtime.powerState", "poweredOn");
  put("guest.ipAddress", "172.17.0.1");
  put("guest.net",
      "<GuestNicInfo><ipAddress>fe80::1</ipAddress><ipAddress>2001:db8::7</ipAddress>"
      "<ipAddress>10.0.0.7</ipAddress><deviceConfigId>4000</deviceConfigId></GuestNicInfo>"
      "<GuestNicInfo><ipAddress>172.17.0.1</ipAddress><deviceConfigId>-1</deviceConfigId>"
      "</GuestNicInfo>");
  const Observation seen = ObservationOf(vm, *ReadSettings(*OptionsOf({})));
  EXPECT_THAT(seen.endpoint().ip_addresses(), ElementsAre("10.0.0.7", "2001:db8::7"));
  EXPECT_EQ(seen.endpoint().docker_url(), "tcp://10.0.0.7:2376");
  EXPECT_EQ(seen.instance_id(), "vm-7");
}

}  // namespace
}  // namespace machine::driver::vmwarevsphere
