// The driver on a host whose PowerShell is a fake.
#include "drivers/hyper-v/hyperv_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/crypto/digest.h"
#include "tests/fakes/hyperv/fake_hyperv_host.h"

namespace machine::driver::hyperv {
namespace {

using machine::v1::MACHINE_STATE_ERROR;
using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_PAUSED;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_SAVED;
using machine::v1::MACHINE_STATE_STARTING;
using machine::v1::MACHINE_STATE_STOPPED;
using machine::v1::MACHINE_STATE_STOPPING;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::ordered_json;

constexpr char kUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b01";
constexpr char kOtherUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b02";

class HypervDriverTest : public testing::Test {
 protected:
  HypervDriverTest() {
    machine_.uid = kUid;
    machine_.name = "dev";
    machine_.ssh_public_key = std::string(kTestKey);
    Use({Option("hyper-v-image", host_.image())});
  }

  void Use(const std::vector<machine::v1::OptionValue>& values) {
    const absl::StatusOr<Options> options = MakeOptions(*driver_, values);
    ASSERT_TRUE(options.ok()) << options.status();
    machine_.options = *options;
  }

  DriverCall& Call() {
    calls_.push_back(MakeCall(machine_.uid, record_));
    return *calls_.back();
  }

  Observation Create() {
    const absl::StatusOr<Observation> made = driver_->Create(Call(), machine_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.value_or(Observation());
  }

  MachineState StateNow() {
    const absl::StatusOr<Observation> seen = driver_->Inspect(Call(), machine_);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_UNSPECIFIED;
  }

  std::string Folder() const {
    return absl::StrCat("C:\\Users\\me\\.docker-machine\\hyper-v\\machines\\", machine_.uid);
  }
  Json Vm() const { return host_.State()["vms"][Folder() + "\\dev"]; }
  void SetVmState(const std::string& state) const {
    host_.Change([&](Json& all) { all["vms"][Folder() + "\\dev"]["state"] = state; });
  }

  fakes::FakeHypervHost host_;
  MachineSpec machine_;
  std::unique_ptr<HypervDriver> driver_ = std::make_unique<HypervDriver>();
  CallRecord record_;
  std::vector<std::unique_ptr<DriverCall>> calls_;
};

TEST_F(HypervDriverTest, LivesAWholeLife) {
  const absl::Status checked = driver_->PreCreateCheck(Call(), machine_);
  ASSERT_TRUE(checked.ok()) << checked;
  const Observation made = Create();
  EXPECT_EQ(made.state(), MACHINE_STATE_RUNNING);
  EXPECT_THAT(made.endpoint().ip_addresses(), ElementsAre("172.20.0.5"));
  EXPECT_EQ(made.endpoint().ssh_user(), "machine");
  EXPECT_EQ(made.endpoint().docker_url(), "tcp://172.20.0.5:2376");
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok()) << "runs already";
  EXPECT_EQ(Vm()["starts"], 1);
  absl::StatusOr<Observation> seen = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok()) << "is stopped already";
  EXPECT_TRUE(driver_->Kill(Call(), machine_).ok()) << "is stopped already";
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  ASSERT_TRUE(driver_->Restart(Call(), machine_).ok());
  EXPECT_EQ(Vm()["starts"], 3);
  seen = driver_->Kill(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);
  const absl::Status removed = driver_->Remove(Call(), machine_);
  ASSERT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(driver_->Remove(Call(), machine_).ok()) << "is gone already";
  EXPECT_EQ(StateNow(), MACHINE_STATE_NOT_FOUND);
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
  EXPECT_THAT(host_.State()["files"], SizeIs(1)) << "the image";
  EXPECT_EQ(driver_->Start(Call(), machine_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HypervDriverTest, MakesTheMachineThatIsAskedFor) {
  // In the other spelling.
  Use({Option("hyperv-image", host_.image()), Option("hyperv-memory", 2048),
       Option("hyperv-cpu-count", -1), Option("hyperv-disk-size", 5000),
       Option("hyperv-virtual-switch", "LAN"), Option("hyperv-vlan-id", 7),
       Option("hyperv-static-macaddress", "00:15:5d:00:00:0a"),
       BoolOption("hyperv-disable-dynamic-memory", true)});
  Create();
  const Json vm = Vm();
  EXPECT_EQ(vm["memory"], int64_t{2048} << 20);
  EXPECT_EQ(vm["dynamic"], false);
  EXPECT_EQ(vm["cpus"], 4) << "as many as the host has";
  EXPECT_EQ(vm["switch"], "lan");
  EXPECT_EQ(vm["mac"], "00155D00000A");
  EXPECT_EQ(vm["vlan"], 7);
  EXPECT_EQ(host_.State()["files"][Folder() + "\\disk.vhdx"]["size"], int64_t{5000} << 20);
  std::string seed;
  ASSERT_TRUE(absl::Base64Unescape(host_.State()["written"].get<std::string>(), &seed));
  EXPECT_THAT(seed, HasSubstr(std::string(kTestKey)));
}

TEST_F(HypervDriverTest, TheSwitchIsTheFirstThatFits) {
  Create();
  EXPECT_EQ(Vm()["switch"], "Default Switch");
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  host_.Change([](Json& all) { all["switches"].erase(1); });
  Create();
  EXPECT_EQ(Vm()["switch"], "lan");
  Use({Option("hyper-v-virtual-switch", "none such")});
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(), HasSubstr("only \"lan\""));
  host_.Change([](Json& all) { all["switches"] = Json::array(); });
  Use({});
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(), HasSubstr("New-VMSwitch"));
}

TEST_F(HypervDriverTest, AnImageIsFetchedOnceCheckedAndKept) {
  const std::string text = "raw";
  const std::string digest = common::Sha256Hex(text);
  host_.Change([&](Json& all) {
    all["urls"]["https://images/debian.raw"] = {
        {"size", 1 << 20}, {"head", text}, {"digest", digest}};
    all["urls"]["https://images/SHA256SUMS"] = digest + "  debian.raw\n";
  });
  Use({Option("hyper-v-image", "https://images/debian.raw"),
       Option("hyper-v-image-checksum", "https://images/SHA256SUMS")});
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(host_.Runs("fetch"), 2) << "gone on with after the first turn";
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  Create();
  EXPECT_EQ(host_.Runs("fetch"), 2);
  machine_.uid = kOtherUid;
  machine_.name = "other";
  Use({Option("hyper-v-image", "https://images/debian.raw"),
       Option("hyper-v-image-checksum", absl::StrCat("sha256:", common::Sha256Hex("other")))});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(),
              HasSubstr("another digest than expected"));
  Use({Option("hyper-v-image", "https://images/none.raw")});
  EXPECT_EQ(driver_->Create(Call(), machine_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HypervDriverTest, AnImageThatAnotherDriverFetchesIsWaitedFor) {
  const std::string digest = common::Sha256Hex("raw");
  for (const bool finishes : {true, false}) {
    SCOPED_TRACE(finishes);
    const std::string url = absl::StrCat("https://images/", finishes ? "a" : "b", ".raw");
    host_.Change([&](Json& all) {
      all["urls"][url] = {{"size", 1 << 20}, {"head", "raw"}, {"digest", digest}};
      all["orders"] = {{"held", 7}, {"held_finishes", finishes}};
    });
    const int before = host_.Runs("fetch");
    Use({Option("hyper-v-image", url),
         Option("hyper-v-image-checksum", absl::StrCat("sha256:", digest))});
    EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
    // The other one has it; or has given up, and this one fetches it in its two turns.
    EXPECT_EQ(host_.Runs("fetch") - before, finishes ? 8 : 9);
    ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  }
}

TEST_F(HypervDriverTest, AWholeImageThatWasNotCheckedYetIsNotFetchedAgain) {
  const std::string digest = common::Sha256Hex("raw");
  const std::string url = "https://images/debian.raw";
  host_.Change([&](Json& all) {
    all["urls"][url] = {{"size", 1 << 20}, {"head", "raw"}, {"digest", digest}};
  });
  Use({Option("hyper-v-image", url),
       Option("hyper-v-image-checksum", absl::StrCat("sha256:", digest))});
  host_.Order("fails", "digest");
  EXPECT_FALSE(driver_->Create(Call(), machine_).ok());
  host_.Order("fails", "");
  const int before = host_.Runs("fetch");
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(host_.Runs("fetch") - before, 1) << "only told that nothing is left";
}

TEST_F(HypervDriverTest, AnImageThatDoesNotFitIsRefused) {
  Use({Option("hyper-v-image", host_.image()), Option("hyper-v-disk-size", 512)});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(), HasSubstr("1024 MiB"));
  host_.Change([](Json& all) {
    all["files"]["C:\\images\\image.vmdk"] = {{"size", 4096}, {"head", "KDMV"}};
  });
  Use({Option("hyper-v-image", "C:\\images\\image.vmdk")});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(), HasSubstr("qemu-img convert"));
  Use({Option("hyper-v-image", "C:\\images\\none.vhdx")});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(), HasSubstr("no such file"));
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
}

TEST_F(HypervDriverTest, ARepeatedCreateAdoptsWhatIsThere) {
  const Observation made = Create();
  driver_ = std::make_unique<HypervDriver>();
  EXPECT_EQ(Create().endpoint().SerializeAsString(), made.endpoint().SerializeAsString());
  EXPECT_EQ(host_.Runs("make"), 1);
  Use({Option("hyper-v-image", host_.image()), Option("hyper-v-memory", 4096)});
  EXPECT_EQ(driver_->Create(Call(), machine_).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(HypervDriverTest, ACreateThatFailedAtAnyStepIsFinishedByTheNext) {
  for (const char* const script : {"write", "stat", "disk", "names", "make", "start", "look"}) {
    SCOPED_TRACE(script);
    host_.Order("fails", script);
    EXPECT_FALSE(driver_->Create(Call(), machine_).ok());
    host_.Order("fails", "");
    EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
    EXPECT_THAT(host_.State()["vms"], SizeIs(1));
    ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  }
  host_.Order("half", true);
  EXPECT_FALSE(driver_->Create(Call(), machine_).ok());
  host_.Order("half", false);
  const absl::StatusOr<Observation> started = driver_->Start(Call(), machine_);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(Vm()["cds"], 1);
}

TEST_F(HypervDriverTest, ANameThatIsTakenIsRefused) {
  Create();
  machine_.uid = kOtherUid;
  for (const absl::Status& refused :
       {driver_->PreCreateCheck(Call(), machine_), driver_->Create(Call(), machine_).status()}) {
    EXPECT_THAT(refused.message(), HasSubstr("choose another name"));
  }
}

TEST_F(HypervDriverTest, APausedMachineGoesOnAndASavedOneComesBack) {
  Create();
  SetVmState("Paused");
  EXPECT_EQ(StateNow(), MACHINE_STATE_PAUSED);
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  EXPECT_EQ(Vm()["state"], "Running");
  SetVmState("Paused");
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok());
  EXPECT_EQ(Vm()["state"], "Off");
  SetVmState("Saved");
  const absl::StatusOr<Observation> stopped = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), MACHINE_STATE_SAVED) << "its memory is not thrown away";
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  SetVmState("Saved");
  ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  EXPECT_EQ(Vm()["state"], "Off");
}

TEST_F(HypervDriverTest, ABatchIsOneScript) {
  std::vector<MachineSpec> machines(3, machine_);
  Create();
  machines[1].uid = kOtherUid;
  machines[1].name = "other";
  machines[2].uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b03";
  ASSERT_TRUE(driver_->Create(Call(), machines[1]).ok());
  ASSERT_TRUE(driver_->Kill(Call(), machines[1]).ok());
  const int before = host_.Runs("look");
  const auto seen = driver_->BatchInspect(Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_THAT(*seen, SizeIs(3));
  EXPECT_EQ((*seen)[0].state(), MACHINE_STATE_RUNNING);
  EXPECT_TRUE((*seen)[0].has_endpoint());
  EXPECT_EQ((*seen)[1].state(), MACHINE_STATE_STOPPED);
  EXPECT_EQ((*seen)[2].state(), MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(host_.Runs("look") - before, 1);
}

TEST_F(HypervDriverTest, AGuestThatDoesNotObeyGoesOn) {
  Create();
  host_.Order("ignores_stop", true);
  const absl::StatusOr<Observation> stopped = driver_->Stop(Call(), machine_, absl::ZeroDuration());
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
}

TEST_F(HypervDriverTest, WhatCannotWorkIsFoundBeforeAnythingIsMade) {
  host_.Order("no_hyperv", true);
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(),
              HasSubstr("Microsoft-Hyper-V-All"));
  host_.Order("no_hyperv", false);
  host_.Order("not_allowed", true);
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(),
              HasSubstr("Hyper-V Administrators"));
  std::filesystem::remove(host_.Path("bin/powershell.exe"));
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(),
              HasSubstr("--hyper-v-host ssh://"));
}

TEST_F(HypervDriverTest, OtherLinesAreNoAnswer) {
  host_.Order("chatters", true);
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
}

TEST_F(HypervDriverTest, MachinesAreListedByOrchestrator) {
  Create();
  host_.Change([](Json& all) {
    all["vms"]["C:\\vms\\foreign"] = {
        {"name", "foreign"}, {"id", "x"}, {"state", "Off"}, {"notes", ""}, {"cds", 0}};
  });
  const auto listed = driver_->ListInstances(Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  EXPECT_EQ(listed->front().observation().state(), MACHINE_STATE_RUNNING);
  EXPECT_THAT(*driver_->ListInstances(Call(), kOtherUid, machine_.options), IsEmpty());
}

TEST_F(HypervDriverTest, AnImportedMachineIsKnownByItsFolder) {
  host_.Change([](Json& all) {
    all["vms"]["C:\\Users\\me\\.docker\\machine\\machines\\old\\old"] = {
        {"name", "old"}, {"id", "x"}, {"state", "Off"}, {"notes", ""}, {"cds", 1}};
  });
  machine_.state =
      R"({"MachineName": "old", "StorePath": "C:\\Users\\me\\.docker\\machine", "SSHUser": "docker"})";
  machine_.state_version = kImportedStateVersion;
  const absl::StatusOr<std::string> upgraded = driver_->UpgradeState(Call(), machine_);
  ASSERT_TRUE(upgraded.ok()) << upgraded.status();
  machine_.state = *upgraded;
  const absl::StatusOr<Observation> seen = driver_->Start(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->endpoint().ssh_user(), "docker");
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
}

struct StateCase {
  std::string word;
  MachineState state;
};

class StateTest : public testing::TestWithParam<StateCase> {};

TEST_P(StateTest, IsKnown) { EXPECT_EQ(StateOf(GetParam().word), GetParam().state); }

INSTANTIATE_TEST_SUITE_P(All, StateTest,
                         testing::Values(StateCase{"Running", MACHINE_STATE_RUNNING},
                                         StateCase{"Off", MACHINE_STATE_STOPPED},
                                         StateCase{"Saved", MACHINE_STATE_SAVED},
                                         StateCase{"FastSaved", MACHINE_STATE_SAVED},
                                         StateCase{"Hibernated", MACHINE_STATE_SAVED},
                                         StateCase{"Paused", MACHINE_STATE_PAUSED},
                                         StateCase{"Starting", MACHINE_STATE_STARTING},
                                         StateCase{"Resuming", MACHINE_STATE_STARTING},
                                         StateCase{"Reset", MACHINE_STATE_STARTING},
                                         StateCase{"ForceReboot", MACHINE_STATE_STARTING},
                                         StateCase{"ComponentServicing", MACHINE_STATE_STARTING},
                                         StateCase{"Stopping", MACHINE_STATE_STOPPING},
                                         StateCase{"Saving", MACHINE_STATE_STOPPING},
                                         StateCase{"FastSaving", MACHINE_STATE_STOPPING},
                                         StateCase{"Pausing", MACHINE_STATE_STOPPING},
                                         StateCase{"ForceShutdown", MACHINE_STATE_STOPPING},
                                         StateCase{"RunningCritical", MACHINE_STATE_ERROR},
                                         StateCase{"PausedCritical", MACHINE_STATE_ERROR},
                                         StateCase{"OffCritical", MACHINE_STATE_STOPPED},
                                         StateCase{"Other", machine::v1::MACHINE_STATE_UNSPECIFIED},
                                         StateCase{"", machine::v1::MACHINE_STATE_UNSPECIFIED}));

struct RefusedCase {
  std::string label;
  std::vector<machine::v1::OptionValue> values;
  std::string words;
};

class RefusedTest : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedTest, NamesTheFlag) {
  const HypervDriver driver;
  absl::StatusOr<Options> options = MakeOptions(driver, GetParam().values);
  const absl::Status status = options.ok() ? driver.Validate(*options) : options.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    testing::Values(
        RefusedCase{
            "Iso", {Option("hyper-v-boot2docker-url", "http://a/b.iso")}, "--hyper-v-image"},
        RefusedCase{
            "IsoPath", {Option("hyperv-boot2docker-location", "C:\\b.iso")}, "--hyper-v-image"},
        RefusedCase{"NoCpu", {Option("hyper-v-cpu-count", 0)}, "-1 for all"},
        RefusedCase{"OddMemory", {Option("hyper-v-memory", 1023)}, "even"},
        RefusedCase{"Mac", {Option("hyper-v-static-macaddress", "00:15:5d")}, "hardware address"},
        RefusedCase{
            "GroupMac", {Option("hyper-v-static-macaddress", "01155d000001")}, "hardware address"},
        RefusedCase{"Vlan", {Option("hyper-v-vlan-id", 4095)}, "hyper-v-vlan-id"},
        RefusedCase{"Host", {Option("hyper-v-host", "win")}, "ssh://USER@HOST"}),
    [](const auto& tested) { return tested.param.label; });

TEST(ParseVmsTest, WhatIsNotWellFormedIsLeftOut) {
  EXPECT_THAT(
      ParseVms(nlohmann::json::parse(R"([1, {}, {"path": "a"}, {"state": 1, "path": "b"}])")),
      IsEmpty());
  const std::vector<SeenVm> vms = ParseVms(nlohmann::json::parse(
      R"([{"path": "a", "state": "Off", "cds": "x", "addresses": "169.254.1.1"},
          {"path": "b", "state": "Running", "addresses": ["::1", "10.0.0.1", 5, "127.0.0.1"]}])"));
  ASSERT_THAT(vms, SizeIs(2));
  EXPECT_THAT(vms[0].addresses, IsEmpty());
  EXPECT_THAT(vms[1].addresses, ElementsAre("10.0.0.1"));
}

}  // namespace
}  // namespace machine::driver::hyperv
