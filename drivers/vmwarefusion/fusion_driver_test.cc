// The driver on a host whose VMware is a fake.
#include "drivers/vmwarefusion/fusion_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/log/log.h"
#include "tests/fakes/vmware/fake_vmware_host.h"

namespace machine::driver::vmwarefusion {
namespace {

using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_SAVED;
using machine::v1::MACHINE_STATE_STOPPED;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b01";

class FusionDriverTest : public testing::Test {
 protected:
  FusionDriverTest() {
    machine_.uid = kUid;
    machine_.name = "dev";
    machine_.ssh_public_key = std::string(kTestKey);
    driver_ = NewDriver();
    Use({Option("vmwarefusion-image", host_.image())});
  }

  // As another process: it remembers nothing.
  std::unique_ptr<FusionDriver> NewDriver() {
    auto driver = std::make_unique<FusionDriver>();
    const absl::Status started = driver->Init(
        {.log = common::Logger(common::Severity::kDebug, "vmwarefusion", STDERR_FILENO),
         .data_dir = host_.Path("data")});
    EXPECT_TRUE(started.ok()) << started;
    return driver;
  }

  void Use(const std::vector<machine::v1::OptionValue>& values) {
    const absl::StatusOr<Options> options = MakeOptions(*driver_, values);
    ASSERT_TRUE(options.ok()) << options.status();
    machine_.options = *options;
  }

  DriverCall& Call(absl::Duration limit = absl::Minutes(2)) {
    calls_.push_back(MakeCall(machine_.uid, record_, limit));
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

  std::string Folder() const { return host_.Path(absl::StrCat("data/machines/", machine_.uid)); }
  std::string Text(const std::string& leaf) const {
    std::ifstream file(Folder() + "/" + leaf, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  fakes::FakeVmwareHost host_;
  MachineSpec machine_;
  std::unique_ptr<FusionDriver> driver_;
  CallRecord record_;
  std::vector<std::unique_ptr<DriverCall>> calls_;
};

TEST_F(FusionDriverTest, LivesAWholeLife) {
  const absl::Status checked = driver_->PreCreateCheck(Call(), machine_);
  ASSERT_TRUE(checked.ok()) << checked;
  const Observation made = Create();
  EXPECT_EQ(made.state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(made.endpoint().ssh_host(), "192.168.203.128");
  EXPECT_EQ(made.endpoint().ssh_user(), "machine");
  EXPECT_EQ(made.endpoint().docker_url(), "tcp://192.168.203.128:2376");
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok()) << "runs already";
  EXPECT_THAT(host_.Lines("starts"), SizeIs(1));

  absl::StatusOr<Observation> seen = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok()) << "is stopped already";
  EXPECT_TRUE(driver_->Kill(Call(), machine_).ok()) << "is stopped already";
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  ASSERT_TRUE(driver_->Restart(Call(), machine_).ok());
  EXPECT_THAT(host_.Lines("starts"), SizeIs(3));
  seen = driver_->Kill(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());

  const absl::Status removed = driver_->Remove(Call(), machine_);
  ASSERT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(driver_->Remove(Call(), machine_).ok()) << "is gone already";
  EXPECT_EQ(StateNow(), MACHINE_STATE_NOT_FOUND);
  EXPECT_THAT(host_.Lines("running"), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(Folder()));
  EXPECT_EQ(driver_->Start(Call(), machine_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FusionDriverTest, MakesTheMachineThatIsAskedFor) {
  Use({Option("vmwarefusion-image", host_.image()), Option("vmwarefusion-memory-size", 2048),
       Option("vmwarefusion-cpu-count", 3), Option("vmwarefusion-disk-size", 5000),
       Option("vmwarefusion-network", "bridged")});
  Create();
  const Vmx vmx = ParseVmx(Text("machine.vmx"));
  EXPECT_EQ(vmx.at("memsize"), "2048");
  EXPECT_EQ(vmx.at("numvcpus"), "3");
  EXPECT_EQ(vmx.at("guestos"), "ubuntu-64");
  EXPECT_EQ(vmx.at("ethernet0.connectiontype"), "bridged");
  EXPECT_EQ(vmx.at("guestinfo.userdata.encoding"), "base64");
  EXPECT_THAT(Text("disk.vmdk"), HasSubstr("capacity=5000"));
  EXPECT_THAT(Text("seed.iso"), HasSubstr(std::string(kTestKey)));
}

TEST_F(FusionDriverTest, AppleSiliconHasGuestsOfItsArchitecture) {
  host_.Order("mac");
  std::ofstream(host_.Path("arm64.img")) << "QFI\xfb";
  Use({Option("vmwarefusion-image", host_.Path("arm64.img"))});
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
  const Vmx vmx = ParseVmx(Text("machine.vmx"));
  EXPECT_EQ(vmx.at("guestos"), "arm-ubuntu-64");
  EXPECT_EQ(vmx.at("firmware"), "efi");
}

TEST_F(FusionDriverTest, AnImageThatShowsOtherFilesIsRefused) {
  host_.Order("refers");
  std::ofstream(host_.Path("image.qcow2")) << "QFI\xfb";
  Use({Option("vmwarefusion-image", host_.Path("image.qcow2"))});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(),
              HasSubstr("refers to another file"));
}

TEST_F(FusionDriverTest, AnImageThatDoesNotFitIsRefused) {
  Use({Option("vmwarefusion-image", host_.image()), Option("vmwarefusion-disk-size", 512)});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(),
              HasSubstr("--vmwarefusion-disk-size"));
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_FALSE(std::filesystem::exists(Folder()));
}

TEST_F(FusionDriverTest, ARepeatedCreateAdoptsWhatIsThere) {
  const Observation made = Create();
  driver_ = NewDriver();
  EXPECT_EQ(Create().endpoint().SerializeAsString(), made.endpoint().SerializeAsString());
  EXPECT_THAT(host_.Lines("starts"), SizeIs(1));
  Use({Option("vmwarefusion-image", host_.image()), Option("vmwarefusion-memory-size", 4096)});
  EXPECT_EQ(driver_->Create(Call(), machine_).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(FusionDriverTest, ACreateThatEndedHalfWayIsFinishedByTheNext) {
  Create();
  ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  for (const char* const leaf : {"machine.vmx", "disk.vmdk", "machine.json"}) {
    SCOPED_TRACE(leaf);
    // Each later file is made after the ones before.
    std::filesystem::remove(Folder() + "/machine.vmx");
    std::filesystem::remove(Folder() + "/" + leaf);
    EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
    ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  }
  std::filesystem::remove(Folder() + "/machine.vmx");
  EXPECT_EQ(StateNow(), MACHINE_STATE_STOPPED);
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
}

TEST_F(FusionDriverTest, ASuspendedMachineIsSavedAndComesBack) {
  Create();
  ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  std::ofstream(Folder() + "/machine.vmx", std::ios::app)
      << "checkpoint.vmState = \"machine.vmss\"\n";
  EXPECT_EQ(StateNow(), MACHINE_STATE_SAVED);
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
}

TEST_F(FusionDriverTest, APausedMachineGoesOn) {
  Create();
  const auto pause = [&] {
    std::filesystem::copy_file(host_.Path("running"), host_.Path("paused"),
                               std::filesystem::copy_options::overwrite_existing);
  };
  pause();
  const absl::StatusOr<Observation> started = driver_->Start(Call(), machine_);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_TRUE(started->has_endpoint());
  EXPECT_THAT(host_.Lines("paused"), IsEmpty());
  pause();
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok()) << "hears it, too";
  EXPECT_EQ(StateNow(), MACHINE_STATE_STOPPED);
}

TEST_F(FusionDriverTest, ABatchAsksItsHostOnceWhatRuns) {
  std::vector<MachineSpec> machines(3, machine_);
  Create();
  machines[1].uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b02";
  machines[2].uid = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b03";
  ASSERT_TRUE(driver_->Create(Call(), machines[1]).ok());
  ASSERT_TRUE(driver_->Kill(Call(), machines[1]).ok());
  const std::vector<std::string> before = host_.Lines("calls");
  const auto seen = driver_->BatchInspect(Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_THAT(*seen, SizeIs(3));
  EXPECT_EQ((*seen)[0].state(), MACHINE_STATE_RUNNING);
  EXPECT_TRUE((*seen)[0].has_endpoint());
  EXPECT_EQ((*seen)[1].state(), MACHINE_STATE_STOPPED);
  EXPECT_EQ((*seen)[2].state(), MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(host_.Lines("calls").size() - before.size(), 2U) << "list, and one guest's address";
}

TEST_F(FusionDriverTest, AGuestThatDoesNotObeyGoesOn) {
  Create();
  host_.Order("ignores_soft");
  const absl::StatusOr<Observation> stopped = driver_->Stop(Call(), machine_, absl::ZeroDuration());
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(stopped.status().message(), HasSubstr("did not shut down"));
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
}

TEST_F(FusionDriverTest, AGuestWithoutToolsHasNoAddressYet) {
  Create();
  host_.Order("no_tools");
  const absl::StatusOr<Observation> seen = driver_->Inspect(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_RUNNING);
  EXPECT_FALSE(seen->has_endpoint());
  EXPECT_THAT(driver_->Stop(Call(), machine_, std::nullopt).status().message(),
              HasSubstr("VMware Tools are not running"));
}

TEST_F(FusionDriverTest, WhatCannotWorkIsFoundBeforeAnythingIsMade) {
  Use({Option("vmwarefusion-image", host_.Path("none.vmdk"))});
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(),
              HasSubstr("--vmwarefusion-image"));
  std::filesystem::remove(host_.Path("bin/vmrun"));
  EXPECT_THAT(NewDriver()->PreCreateCheck(Call(), machine_).message(),
              HasSubstr("vmrun is not installed"));
  EXPECT_FALSE(std::filesystem::exists(Folder()));
}

TEST_F(FusionDriverTest, MachinesAreListedByOrchestrator) {
  EXPECT_THAT(*driver_->ListInstances(Call(), kTestOrchestrator, machine_.options), IsEmpty());
  Create();
  const auto listed = driver_->ListInstances(Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  EXPECT_EQ(listed->front().observation().state(), MACHINE_STATE_RUNNING);
  EXPECT_THAT(*driver_->ListInstances(Call(), kUid, machine_.options), IsEmpty());
}

TEST_F(FusionDriverTest, AnImportedMachineIsKnownByItsFile) {
  Create();
  const std::string folder = host_.Path("store/machines/old");
  ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  std::filesystem::create_directories(folder);
  std::filesystem::copy(Folder(), folder);
  std::filesystem::rename(folder + "/machine.vmx", folder + "/old.vmx");
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  machine_.state = absl::StrCat(R"({"MachineName": "old", "SSHUser": "docker", "StorePath": ")",
                                host_.Path("store"), "\"}");
  machine_.state_version = kImportedStateVersion;
  const absl::StatusOr<std::string> upgraded = driver_->UpgradeState(Call(), machine_);
  ASSERT_TRUE(upgraded.ok()) << upgraded.status();
  machine_.state = *upgraded;
  const absl::StatusOr<Observation> seen = driver_->Start(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->endpoint().ssh_user(), "docker");
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_FALSE(std::filesystem::exists(folder));
}

struct RefusedCase {
  std::string label;
  std::vector<machine::v1::OptionValue> values;
  std::string words;
};

class RefusedTest : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedTest, NamesTheFlag) {
  const FusionDriver driver;
  absl::StatusOr<Options> options = MakeOptions(driver, GetParam().values);
  const absl::Status status = options.ok() ? driver.Validate(*options) : options.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedTest,
    testing::Values(
        RefusedCase{"Iso",
                    {Option("vmwarefusion-boot2docker-url", "http://a/b.iso")},
                    "--vmwarefusion-image"},
        RefusedCase{"Password", {SecretOption("vmwarefusion-ssh-password", "p")}, "machine's key"},
        RefusedCase{"ConfigDrive",
                    {Option("vmwarefusion-configdrive-url", "http://a")},
                    "--vmwarefusion-userdata"},
        RefusedCase{"NoCpu", {Option("vmwarefusion-cpu-count", 0)}, "-1 for all"},
        RefusedCase{"Memory", {Option("vmwarefusion-memory-size", 1022)}, "multiple of 4"},
        RefusedCase{"Network", {Option("vmwarefusion-network", "lan")}, "vmwarefusion-network"},
        RefusedCase{"Host", {Option("vmwarefusion-host", "mac")}, "ssh://USER@HOST"}),
    [](const auto& tested) { return tested.param.label; });

TEST(SettingsTest, AnotherHostIsBridged) {
  const FusionDriver driver;
  const absl::StatusOr<Options> options =
      MakeOptions(driver, {Option("vmwarefusion-host", "ssh://me@mac")});
  ASSERT_TRUE(options.ok()) << options.status();
  const absl::StatusOr<Settings> settings = ReadSettings(*options);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->network, "bridged");
}

}  // namespace
}  // namespace machine::driver::vmwarefusion
