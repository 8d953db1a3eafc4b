// The driver against vcsim, govmomi's simulator of a vCenter, over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/cloud/xml.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevsphere/settings.h"
#include "drivers/vmwarevsphere/vim_client.h"
#include "drivers/vmwarevsphere/vsphere_driver.h"
#include "services/common/http/http_client.h"
#include "services/common/status/status.h"
#include "tests/fakes/vcsim/vcsim.h"

namespace machine::driver::vmwarevsphere {
namespace {

using fakes::Vcsim;
using machine::v1::OptionValue;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kOtherUid[] = "1f8fad5b-d9cb-469f-a165-70867728950e";
constexpr char kThirdUid[] = "2f8fad5b-d9cb-469f-a165-70867728950e";

Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(2), absl::Milliseconds(20)};
  return {.retry = fast,
          .settling = {.looks = 3, .backoff = fast},
          .grace = absl::Seconds(30),
          .keep_alive = absl::Milliseconds(1)};
}

class VcsimE2eTest : public testing::Test {
 protected:
  VcsimE2eTest() : driver_(FastTiming()) {}

  void SetUp() override {
    const auto program = Vcsim::Program();
    if (!program.has_value()) GTEST_SKIP() << "MACHINE_VCSIM names no program";
    auto vcsim = Vcsim::Start(*program);
    ASSERT_TRUE(vcsim.ok()) << vcsim.status();
    vcsim_ = *std::move(vcsim);
    ASSERT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  std::vector<OptionValue> AccountOptions() {
    return {Option(kVcenterFlag, vcsim_->host()),
            Option("vmwarevsphere-vcenter-port", vcsim_->port()),
            Option(kUsernameFlag, vcsim_->user()), SecretOption(kPasswordFlag, vcsim_->password()),
            Option(kCaFlag, vcsim_->certificate_pem())};
  }

  MachineSpec Machine(const std::vector<OptionValue>& more = {}, absl::string_view uid = kUid,
                      absl::string_view name = "dev") {
    std::vector<OptionValue> values = AccountOptions();
    values.insert(values.end(), more.begin(), more.end());
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = std::string(name);
    machine.ssh_public_key = std::string(kTestKey);
    const auto options = MakeOptions(driver_, values);
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
    if (made.ok()) {
      machine.state = made->driver_state().data();
    } else if (!record_.checkpoints.empty()) {
      machine.state = record_.checkpoints.back();
    }
    return made;
  }

  void ExpectRunning(const absl::StatusOr<Observation>& seen) {
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->state(), machine::v1::MACHINE_STATE_RUNNING);
    EXPECT_THAT(seen->endpoint().docker_url(), testing::StartsWith("tcp://10.20."));
    EXPECT_EQ(seen->endpoint().ssh_user(), "docker");
  }

  void ExpectState(const absl::StatusOr<Observation>& seen, MachineState state) {
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->state(), state);
  }

  void ExpectNothingLeft() {
    EXPECT_EQ(vcsim_->Tell("names"), "");
    const std::string files = vcsim_->Tell("files");
    EXPECT_THAT(files, testing::Not(HasSubstr("dev"))) << files;
    EXPECT_THAT(files, testing::Not(HasSubstr("iso"))) << files;
  }

  std::string Refusal(const std::vector<OptionValue>& options) {
    const absl::Status status = driver_.PreCreateCheck(*Call(), Machine(options));
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
    return std::string(status.message());
  }

  CallRecord record_;
  std::unique_ptr<Vcsim> vcsim_;
  VsphereDriver driver_;
};

TEST_F(VcsimE2eTest, KeepsTheContractAndLeavesNothingBehind) {
  const auto driver =
      conformance::DriverProcess::Start("drivers/vmwarevsphere/machine-driver-vmwarevsphere");
  ASSERT_TRUE(driver.ok()) << driver.status();
  conformance::Options options;
  options.options = AccountOptions();
  options.different_options = options.options;
  options.different_options.push_back(Option(kCpuFlag, 4));
  options.vanish = [this](absl::string_view uid) {
    const std::string said = vcsim_->Tell(absl::StrCat("vanish ", uid));
    return said.empty() ? absl::OkStatus() : absl::InternalError(said);
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  ExpectNothingLeft();
}

TEST_F(VcsimE2eTest, LivesAWholeLifeAsAClone) {
  MachineSpec machine = Machine(
      {Option(kNetworkFlag, std::vector<std::string>{"DC0_DVPG0"}),
       Option("vmwarevsphere-cloud-config-text", "#cloud-config\n"),
       Option("vmwarevsphere-cfgparam",
              std::vector<std::string>{"sched.swap.vmxSwapEnabled=FALSE"}),
       Option(kDatastoreFlag, "LocalDS_1"), Option(kPoolFlag, "DC0_C0/Resources/DC0_C0_RP1")});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  const auto made = Create(machine);
  ExpectRunning(made);
  EXPECT_EQ(vcsim_->Tell("names"), "dev");
  EXPECT_EQ(vcsim_->Tell(absl::StrCat("extra ", kUid, " docker-machine.uid")), kUid);
  EXPECT_EQ(vcsim_->Tell(absl::StrCat("extra ", kUid, " guestinfo.userdata.encoding")), "base64");
  EXPECT_EQ(vcsim_->Tell(absl::StrCat("extra ", kUid, " sched.swap.vmxSwapEnabled")), "FALSE");
  const auto again = Create(machine);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->instance_id(), made->instance_id());
  ExpectRunning(driver_.Inspect(*Call(), machine));
  ExpectState(driver_.Stop(*Call(), machine, std::nullopt), machine::v1::MACHINE_STATE_STOPPED);
  ExpectState(driver_.Start(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectState(driver_.Restart(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ExpectState(driver_.Kill(*Call(), machine), machine::v1::MACHINE_STATE_STOPPED);
  ExpectState(driver_.Kill(*Call(), machine), machine::v1::MACHINE_STATE_STOPPED);
  const auto listed = driver_.ListInstances(*Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
  ExpectState(driver_.Inspect(*Call(), machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_TRUE(absl::IsNotFound(driver_.Start(*Call(), machine).status()));
  ExpectNothingLeft();
}

TEST_F(VcsimE2eTest, LivesAWholeLifeFromAContentLibrary) {
  MachineSpec machine = Machine({Option(kLibraryFlag, "images/noble"),
                                 Option(kNetworkFlag, std::vector<std::string>{"VM Network"}),
                                 Option(kDiskFlag, 4096)});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  ExpectRunning(Create(machine));
  EXPECT_EQ(vcsim_->Tell("names"), "dev");
  EXPECT_EQ(vcsim_->Tell(absl::StrCat("extra ", kUid, " docker-machine.uid")), kUid);
  machine.state.reset();
  ExpectRunning(driver_.Inspect(*Call(), machine));
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

TEST_F(VcsimE2eTest, LivesAWholeLifeFromATemplateOfAContentLibrary) {
  ASSERT_EQ(vcsim_->Tell("item noble-vm"), "");
  MachineSpec machine = Machine({Option(kLibraryFlag, "images/noble-vm"),
                                 Option(kNetworkFlag, std::vector<std::string>{"VM Network"})});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  ExpectRunning(Create(machine));
  EXPECT_EQ(vcsim_->Tell("names"), "dev");
  EXPECT_EQ(vcsim_->Tell(absl::StrCat("extra ", kUid, " docker-machine.uid")), kUid);
  ExpectRunning(driver_.Inspect(*Call(), machine));
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(vcsim_->Tell("names"), "");
}

TEST_F(VcsimE2eTest, ASessionIsUsedWhileALibraryIsCopiedFrom) {
  MachineSpec machine = Machine({Option(kLibraryFlag, "images/noble"),
                                 Option(kNetworkFlag, std::vector<std::string>{"VM Network"})});
  ExpectRunning(Create(machine));
  EXPECT_NE(vcsim_->Tell("calls CurrentTime"), "0");
}

TEST_F(VcsimE2eTest, StorageDrsChoosesOfADatastoreCluster) {
  const auto datastore_of = [&](MachineSpec machine) {
    ExpectRunning(Create(machine));
    State state;
    EXPECT_TRUE(machine.ParseState(state).ok());
    return state.datastore().substr(state.datastore().rfind('/') + 1);
  };
  const std::string own = datastore_of(Machine());
  const std::string other = own == "LocalDS_0" ? "LocalDS_1" : "LocalDS_0";
  ASSERT_EQ(vcsim_->Tell(absl::StrCat("pod pod0 ", other)), "");
  const std::vector<OptionValue> options = {Option(kPodFlag, "pod0")};
  // Turned off, it recommends nothing.
  ASSERT_EQ(vcsim_->Tell("fault RecommendDatastores InvalidState"), "");
  EXPECT_EQ(datastore_of(Machine(options, kOtherUid, "dev2")), own);
  EXPECT_EQ(datastore_of(Machine(options, kThirdUid, "dev3")), other);
  EXPECT_EQ(vcsim_->Tell("calls RecommendDatastores"), "2");
}

TEST_F(VcsimE2eTest, ElementsComeInTheOrderOfTheDescription) {
  // Every request of every test here is compared; this is how one that differs ends.
  common::HttpClient http;
  VimClient client(http, *ReadCredentials(Machine().options), FastTiming().retry);
  const auto call = Call();
  const auto service = client.ServiceContent(*call);
  ASSERT_TRUE(service.ok()) << service.status();
  const auto refusal = [&](absl::string_view arguments) {
    return std::string(
        client.Call(*call, service->search_index, "FindByUuid", arguments).status().message());
  };
  const std::string uuid = XmlLeaf("uuid", kUid);
  const std::string search = XmlLeaf("vmSearch", "true");
  EXPECT_EQ(refusal(uuid + search), "");
  EXPECT_THAT(refusal(search + uuid), HasSubstr("uuid of FindByUuid comes too late"));
  EXPECT_THAT(refusal(search), HasSubstr("lacks uuid"));
  EXPECT_THAT(refusal(uuid + search + XmlLeaf("x", "")), HasSubstr("has no x"));
  EXPECT_THAT(refusal(uuid + XmlLeaf("vmSearch", "perhaps")), HasSubstr("vmSearch"));
}

TEST_F(VcsimE2eTest, WhatTheServerHasNotIsRefusedWithWhatItHas) {
  EXPECT_THAT(Refusal({Option(kDatacenterFlag, "x")}), HasSubstr("/DC0"));
  EXPECT_THAT(Refusal({Option(kDatastoreFlag, "x")}), HasSubstr("/DC0/datastore/LocalDS_0"));
  EXPECT_THAT(Refusal({Option(kPodFlag, "x")}), HasSubstr("datastore cluster"));
  EXPECT_THAT(Refusal({Option(kNetworkFlag, std::vector<std::string>{"x"})}),
              HasSubstr("/DC0/network/VM Network"));
  EXPECT_THAT(Refusal({Option(kPoolFlag, "x")}), HasSubstr("/DC0/host/DC0_C0/Resources"));
  EXPECT_THAT(Refusal({Option(kHostFlag, "x")}), HasSubstr("/DC0/host/DC0_H0/DC0_H0"));
  EXPECT_THAT(Refusal({Option(kFolderFlag, "x")}), HasSubstr("/DC0/vm"));
  EXPECT_THAT(Refusal({Option(kCloneFromFlag, "x")}), HasSubstr("/DC0/vm/ubuntu-24.04"));
  EXPECT_THAT(Refusal({Option(kLibraryFlag, "x/y"),
                       Option(kNetworkFlag, std::vector<std::string>{"VM Network"})}),
              HasSubstr("images"));
  EXPECT_THAT(Refusal({Option(kLibraryFlag, "images/y"),
                       Option(kNetworkFlag, std::vector<std::string>{"VM Network"})}),
              HasSubstr("noble"));
  EXPECT_THAT(Refusal({Option(kHostFlag, "DC0_H0/DC0_H0"), Option(kPoolFlag, "DC0_C0_RP1")}),
              HasSubstr("is not of host"));
}

TEST_F(VcsimE2eTest, AWrongPasswordIsRefused) {
  MachineSpec machine = Machine({SecretOption(kPasswordFlag, "wrong")});
  const absl::Status status = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--vmwarevsphere-password"));
}

TEST_F(VcsimE2eTest, AServerWithoutAKnownAuthorityIsRefused) {
  std::vector<OptionValue> without = AccountOptions();
  without.pop_back();
  MachineSpec machine = Machine();
  machine.options = *MakeOptions(driver_, without);
  const absl::Status status = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--vmwarevsphere-thumbprint"));
}

TEST_F(VcsimE2eTest, AServerIsTrustedByItsThumbprintAlone) {
  std::vector<OptionValue> options = AccountOptions();
  options.pop_back();
  options.push_back(Option(kThumbprintFlag, std::string(64, 'a')));
  MachineSpec machine = Machine();
  machine.options = *MakeOptions(driver_, options);
  const absl::Status refused = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_EQ(common::ReasonOf(refused), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) << refused;
  const std::string said(refused.message());
  options.back() = Option(kThumbprintFlag, said.substr(said.rfind(' ') + 1));
  machine.options = *MakeOptions(driver_, options);
  const absl::Status status = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(VcsimE2eTest, ANameThatIsTakenIsRefused) {
  MachineSpec machine = Machine();
  ExpectRunning(Create(machine));
  MachineSpec other = Machine({}, kOtherUid);
  EXPECT_EQ(common::ReasonOf(driver_.PreCreateCheck(*Call(), other)),
            machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED);
  const auto made = Create(other);
  EXPECT_TRUE(absl::IsAlreadyExists(made.status())) << made.status();
  EXPECT_TRUE(driver_.Remove(*Call(), other).ok());
  ExpectRunning(driver_.Inspect(*Call(), machine));
}

TEST_F(VcsimE2eTest, AnotherShapeIsAnotherInstance) {
  MachineSpec machine = Machine();
  ExpectRunning(Create(machine));
  machine.options = Machine({Option(kMemoryFlag, 4096)}).options;
  EXPECT_EQ(common::ReasonOf(Create(machine).status()), machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
}

TEST_F(VcsimE2eTest, ACreateIsGoneOnWithWithoutItsState) {
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ExpectRunning(made);
  machine.state.reset();
  const auto again = Create(machine);
  ExpectRunning(again);
  ASSERT_TRUE(made.ok() && again.ok());
  EXPECT_EQ(again->instance_id(), made->instance_id());
  EXPECT_EQ(vcsim_->Tell("names"), "dev");
}

TEST_F(VcsimE2eTest, ASessionThatEndedIsOpenedAnew) {
  MachineSpec machine = Machine();
  ExpectRunning(Create(machine));
  EXPECT_EQ(vcsim_->Tell("expire"), "");
  ExpectState(driver_.Stop(*Call(), machine, std::nullopt), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_EQ(vcsim_->Tell("expire"), "");
  ExpectState(driver_.Start(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(vcsim_->Tell("expire"), "");
  EXPECT_TRUE(driver_.Remove(*Call(), machine).ok());
}

TEST_F(VcsimE2eTest, LivesAWholeLifeFromAnIso) {
  auto plain = Vcsim::Start(*Vcsim::Program(), {"-plain"});
  ASSERT_TRUE(plain.ok()) << plain.status();
  vcsim_ = *std::move(plain);
  const std::string url = absl::StrCat("http://", vcsim_->host(), ":", vcsim_->port());
  const std::string folder = absl::StrCat(testing::TempDir(), "/vsphere-iso");
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  VsphereDriver driver(FastTiming());
  ASSERT_TRUE(
      driver.Init({.log = common::Logger(common::Severity::kError, "test"), .data_dir = folder})
          .ok());
  MachineSpec machine = Machine();
  const auto options =
      MakeOptions(driver, {Option(kVcenterFlag, url), Option(kUsernameFlag, vcsim_->user()),
                           SecretOption(kPasswordFlag, vcsim_->password()),
                           Option(kIsoFlag, url + "/boot2docker.iso"),
                           Option(kNetworkFlag, std::vector<std::string>{"VM Network"})});
  ASSERT_TRUE(options.ok()) << options.status();
  machine.options = *options;
  const absl::Status checked = driver.PreCreateCheck(*Call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  const auto made = driver.Create(*Call(), machine);
  ExpectRunning(made);
  EXPECT_THAT(vcsim_->Tell("files"), HasSubstr("-iso/boot2docker.iso"));
  EXPECT_THAT(vcsim_->Tell("orders"), HasSubstr("AAAAC3NzaC1lZDI1NTE5"));
  EXPECT_EQ(vcsim_->Tell(absl::StrCat("extra ", kUid, " docker-machine.uid")), kUid);
  const absl::Status removed = driver.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
  std::filesystem::remove_all(folder);
}

struct FaultCase {
  const char* method;
  const char* fault;
  /// Whether the first create ends well in spite of it.
  bool passes;
};

class FaultTest : public VcsimE2eTest, public testing::WithParamInterface<FaultCase> {};

TEST_P(FaultTest, EndsWithOneMachineAndThenWithNone) {
  MachineSpec machine = Machine();
  ASSERT_EQ(vcsim_->Tell(absl::StrCat("fault ", GetParam().method, " ", GetParam().fault)), "");
  const auto made = Create(machine);
  EXPECT_EQ(made.ok(), GetParam().passes) << made.status();
  if (!made.ok()) ExpectRunning(Create(machine));
  EXPECT_EQ(vcsim_->Tell("names"), "dev");
  ASSERT_EQ(vcsim_->Tell("fault Destroy_Task TaskInProgress"), "");
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultTest,
    testing::Values(FaultCase{"CloneVM_Task", "TaskInProgress", true},
                    FaultCase{"CloneVM_Task", "HostNotConnected", true},
                    FaultCase{"CloneVM_Task", "NotAuthenticated", true},
                    FaultCase{"CloneVM_Task", "NoPermission", false},
                    FaultCase{"CloneVM_Task", "NoDiskSpace", false},
                    FaultCase{"ReconfigVM_Task", "ResourceInUse", false},
                    FaultCase{"PowerOnVM_Task", "InvalidPowerState", true},
                    FaultCase{"PowerOnVM_Task", "TaskInProgress", true},
                    FaultCase{"PowerOnVM_Task", "InsufficientMemoryResourcesFault", false},
                    FaultCase{"WaitForUpdatesEx", "NotAuthenticated", true},
                    FaultCase{"CreateFilter", "InvalidProperty", true},
                    FaultCase{"FindByUuid", "HostCommunication", true}),
    [](const auto& info) { return absl::StrCat(info.param.method, info.param.fault); });

TEST_F(VcsimE2eTest, AGuestWithoutToolsIsNotShutDown) {
  MachineSpec machine = Machine();
  ExpectRunning(Create(machine));
  ASSERT_EQ(vcsim_->Tell("fault ShutdownGuest ToolsUnavailable"), "");
  const absl::Status status = driver_.Stop(*Call(), machine, std::nullopt).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("kill it"));
  ASSERT_EQ(vcsim_->Tell("fault RebootGuest ToolsUnavailable"), "");
  ExpectState(driver_.Restart(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(VcsimE2eTest, AStateThatChangedMeanwhileIsTheGoalAllTheSame) {
  MachineSpec machine = Machine();
  ExpectRunning(Create(machine));
  // Somebody else was faster: the server says InvalidPowerState, and a look says how it is.
  ASSERT_EQ(vcsim_->Tell("fault ShutdownGuest InvalidPowerState"), "");
  ExpectState(driver_.Stop(*Call(), machine, std::nullopt), machine::v1::MACHINE_STATE_STOPPED);
  ASSERT_EQ(vcsim_->Tell("fault PowerOnVM_Task InvalidPowerState"), "");
  ExpectState(driver_.Start(*Call(), machine), machine::v1::MACHINE_STATE_RUNNING);
  ASSERT_EQ(vcsim_->Tell("fault PowerOffVM_Task InvalidPowerState"), "");
  ExpectState(driver_.Kill(*Call(), machine), machine::v1::MACHINE_STATE_STOPPED);
  const absl::Status removed = driver_.Remove(*Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  ExpectNothingLeft();
}

TEST_F(VcsimE2eTest, AnAddressIsFoundInTheListOfCards) {
  ASSERT_EQ(vcsim_->Tell("nonet on"), "");
  MachineSpec machine = Machine();
  const auto made = Create(machine);
  ExpectRunning(made);
  EXPECT_THAT(made->endpoint().ip_addresses(), SizeIs(2));
}

TEST_F(VcsimE2eTest, ABatchKnowsWhatIsGone) {
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 4; ++i) {
    MachineSpec machine =
        Machine({}, absl::StrCat(i, "f8fad5b-d9cb-469f-a165-70867728950e"), absl::StrCat("dev", i));
    ExpectRunning(Create(machine));
    machines.push_back(std::move(machine));
  }
  ASSERT_EQ(vcsim_->Tell(absl::StrCat("vanish ", machines[2].uid)), "");
  const auto seen = driver_.BatchInspect(*MakeCall("", record_), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_THAT(*seen, SizeIs(4));
  EXPECT_EQ((*seen)[1].state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ((*seen)[2].state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ((*seen)[3].state(), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_F(VcsimE2eTest, FiveHundredMachinesAreOneCallOfThePropertyCollector) {
  constexpr int kMachines = 500;
  auto many = Vcsim::Start(*Vcsim::Program(), {"-plain", "-machines", absl::StrCat(kMachines)});
  ASSERT_TRUE(many.ok()) << many.status();
  vcsim_ = *std::move(many);
  const auto options = MakeOptions(
      driver_,
      {Option(kVcenterFlag, absl::StrCat("http://", vcsim_->host(), ":", vcsim_->port())),
       Option(kUsernameFlag, vcsim_->user()), SecretOption(kPasswordFlag, vcsim_->password())});
  ASSERT_TRUE(options.ok()) << options.status();
  std::vector<MachineSpec> machines;
  for (int i = 1; i <= kMachines; ++i) {
    MachineSpec& machine = machines.emplace_back();
    machine.uid = absl::StrFormat("%08d-0000-4000-8000-000000000000", i);
    machine.options = *options;
    // What a create would have left of it.
    const auto seen = driver_.Inspect(*Call(), machine);
    ASSERT_TRUE(seen.ok()) << seen.status();
    State state;
    state.set_vm(seen->instance_id());
    machine.state = state.SerializeAsString();
  }
  const auto calls = [&](const std::string& method) {
    int count = 0;
    EXPECT_TRUE(absl::SimpleAtoi(vcsim_->Tell("calls " + method), &count)) << method;
    return count;
  };
  const int before = calls("RetrievePropertiesEx");
  const int searches = calls("FindByUuid");
  const auto seen = driver_.BatchInspect(*MakeCall("", record_), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_THAT(*seen, SizeIs(kMachines));
  for (const Observation& each : *seen) {
    EXPECT_EQ(each.state(), machine::v1::MACHINE_STATE_RUNNING);
  }
  EXPECT_EQ(calls("RetrievePropertiesEx"), before + 1);
  EXPECT_EQ(calls("FindByUuid"), searches);
}

TEST_F(VcsimE2eTest, AnImportedMachineIsKnownByItsName) {
  MachineSpec made = Machine({}, kOtherUid, "old");
  ExpectRunning(Create(made));
  MachineSpec imported = Machine();
  imported.state_version = kImportedStateVersion;
  imported.state = R"({"MachineName": "old", "Password": "secret"})";
  const auto upgraded = driver_.UpgradeState(*Call(), imported);
  ASSERT_TRUE(upgraded.ok()) << upgraded.status();
  imported.state = *upgraded;
  ExpectRunning(driver_.Inspect(*Call(), imported));
  const auto batch = driver_.BatchInspect(*Call(), {imported});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ExpectRunning(batch->front());
  ExpectState(driver_.Kill(*Call(), imported), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Remove(*Call(), imported).ok());
  EXPECT_EQ(vcsim_->Tell("names"), "");
  ExpectState(driver_.Inspect(*Call(), imported), machine::v1::MACHINE_STATE_NOT_FOUND);
}

}  // namespace
}  // namespace machine::driver::vmwarevsphere
