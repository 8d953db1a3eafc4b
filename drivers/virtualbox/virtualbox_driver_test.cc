// The driver on a host whose VBoxManage is a fake.
#include "drivers/virtualbox/virtualbox_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/virtualbox/state.pb.h"
#include "services/common/log/log.h"
#include "services/common/ssh/sshd_for_test.h"
#include "tests/fakes/virtualbox/fake_vbox_host.h"

namespace machine::driver::virtualbox {
namespace {

using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_PAUSED;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_SAVED;
using machine::v1::MACHINE_STATE_STOPPED;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::ordered_json;

constexpr char kUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b01";
constexpr char kOtherUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b02";

class VirtualboxDriverTest : public testing::Test {
 protected:
  explicit VirtualboxDriverTest(absl::string_view version = "7.2.0r170228") : host_(version) {
    machine_.uid = kUid;
    machine_.name = "dev";
    machine_.ssh_public_key = std::string(kTestKey);
    driver_ = NewDriver();
    Use({Option("virtualbox-image", host_.image())});
  }

  // As another process: it remembers nothing.
  std::unique_ptr<VirtualboxDriver> NewDriver() {
    auto driver = std::make_unique<VirtualboxDriver>();
    const absl::Status started =
        driver->Init({.log = common::Logger(common::Severity::kDebug, "virtualbox", STDERR_FILENO),
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

  Json Vm() const { return host_.State()["vms"][kUid]; }
  void SetVmState(const std::string& state) const {
    host_.Change([&](Json& all) { all["vms"][kUid]["state"] = state; });
  }
  std::string Folder() const { return host_.Path(absl::StrCat("data/machines/", machine_.uid)); }

  fakes::FakeVboxHost host_;
  MachineSpec machine_;
  std::unique_ptr<VirtualboxDriver> driver_;
  CallRecord record_;
  std::vector<std::unique_ptr<DriverCall>> calls_;
};

class EachVersionTest : public VirtualboxDriverTest,
                        public testing::WithParamInterface<const char*> {
 protected:
  EachVersionTest() : VirtualboxDriverTest(GetParam()) {}
};

TEST_P(EachVersionTest, LivesAWholeLife) {
  const absl::Status checked = driver_->PreCreateCheck(Call(), machine_);
  ASSERT_TRUE(checked.ok()) << checked;
  const Observation made = Create();
  EXPECT_EQ(made.state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(made.instance_id(), kUid);
  EXPECT_THAT(made.endpoint().ip_addresses(), ElementsAre("192.168.59.102"));
  EXPECT_EQ(made.endpoint().docker_url(), "tcp://192.168.59.102:2376");
  EXPECT_EQ(made.endpoint().ssh_host(), "127.0.0.1");
  EXPECT_GE(made.endpoint().ssh_port(), 20000);
  EXPECT_EQ(made.endpoint().ssh_user(), "machine");
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok()) << "runs already";
  EXPECT_EQ(Vm()["starts"], 1);

  absl::StatusOr<Observation> seen = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);
  EXPECT_FALSE(seen->has_endpoint());
  EXPECT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok()) << "is stopped already";
  EXPECT_TRUE(driver_->Kill(Call(), machine_).ok()) << "is stopped already";
  seen = driver_->Start(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->endpoint().SerializeAsString(), made.endpoint().SerializeAsString());
  seen = driver_->Restart(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(Vm()["starts"], 3);
  seen = driver_->Kill(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);

  const absl::Status removed = driver_->Remove(Call(), machine_);
  ASSERT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(driver_->Remove(Call(), machine_).ok()) << "is gone already";
  EXPECT_EQ(StateNow(), MACHINE_STATE_NOT_FOUND);
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
  EXPECT_THAT(host_.State()["media"], IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(Folder()));
  EXPECT_EQ(driver_->Start(Call(), machine_).status().code(), absl::StatusCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(All, EachVersionTest,
                         testing::Values("6.1.50r161033", "7.0.14r161095", "7.2.0r170228"));

TEST_F(VirtualboxDriverTest, MakesTheMachineThatIsAskedFor) {
  Use({Option("virtualbox-image", host_.image()), Option("virtualbox-memory", 2048),
       Option("virtualbox-cpu-count", -1), Option("virtualbox-disk-size", 5000),
       BoolOption("virtualbox-host-dns-resolver", true),
       BoolOption("virtualbox-no-dns-proxy", true),
       Option("virtualbox-share-folder",
              std::vector<std::string>{host_.Path("bin") + ":/data:ro"})});
  Create();
  const Json vm = Vm();
  EXPECT_EQ(vm["name"], "dev");
  EXPECT_EQ(vm["options"]["memory"], "2048");
  EXPECT_EQ(vm["options"]["cpus"], "4") << "as many as the host has";
  EXPECT_EQ(vm["options"]["natdnshostresolver1"], "on");
  EXPECT_EQ(vm["options"]["natdnsproxy1"], "off");
  EXPECT_EQ(vm["media"]["0"], Folder() + "/disk.vdi");
  EXPECT_EQ(vm["media"]["1"], Folder() + "/seed.iso");
  EXPECT_THAT(vm["shares"], SizeIs(1));
  EXPECT_THAT(host_.Log("modifymedium"), ElementsAre(HasSubstr("--resize\t5000")));
  std::ifstream seed(Folder() + "/seed.iso", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(seed), std::istreambuf_iterator<char>()};
  EXPECT_THAT(text, HasSubstr(std::string(kTestKey)));
  EXPECT_THAT(text, HasSubstr("vboxsf"));
  EXPECT_THAT(text, HasSubstr("08:00:27:")) << "both interfaces ask for their addresses";
}

TEST_F(VirtualboxDriverTest, ARawImageIsConverted) {
  std::ofstream(host_.Path("image.raw")) << "capacity=512\n";
  Use({Option("virtualbox-image", host_.Path("image.raw"))});
  Create();
  EXPECT_THAT(host_.Log("convertfromraw"), SizeIs(1));
}

TEST_F(VirtualboxDriverTest, AnImageThatDoesNotFitIsRefused) {
  Use({Option("virtualbox-image", host_.image()), Option("virtualbox-disk-size", 512)});
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(), HasSubstr("1024 MiB"));
  std::ofstream(host_.Path("image.qcow2")) << "QFI\xfb";
  Use({Option("virtualbox-image", host_.Path("image.qcow2"))});
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(driver_->Create(Call(), machine_).status().message(), HasSubstr("qemu-img"));
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(Folder()));
}

TEST_F(VirtualboxDriverTest, Boot2dockerBootsFromItsCd) {
  const std::string iso = host_.Path("boot2docker.iso");
  std::ofstream(iso) << "CD001";
  Use({Option("virtualbox-boot2docker-url", iso)});
  const Observation made = Create();
  EXPECT_EQ(made.endpoint().ssh_user(), "docker");
  EXPECT_EQ(Vm()["media"]["1"], iso);
  EXPECT_EQ(Vm()["options"]["boot1"], "dvd");
  EXPECT_EQ(host_.State()["stdin"], "boot2docker, please format-me");
  EXPECT_THAT(host_.Log("convertfromraw"), ElementsAre(HasSubstr("\t20971520000\t")));
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_TRUE(std::filesystem::exists(iso)) << "is the user's";
}

TEST_F(VirtualboxDriverTest, PortsOfTheHostLeadIntoAMachineOnNatAlone) {
  Use({Option("virtualbox-image", host_.image()), Option("virtualbox-network", "nat")});
  const Observation made = Create();
  const int ssh = made.endpoint().ssh_port();
  EXPECT_EQ(made.endpoint().docker_url(), absl::StrCat("tcp://127.0.0.1:", ssh + 1));
  EXPECT_THAT(Vm()["nat"],
              ElementsAre(absl::StrCat("ssh,tcp,127.0.0.1,", ssh, ",,22"),
                          absl::StrCat("engine,tcp,127.0.0.1,", ssh + 1, ",,", ssh + 1),
                          absl::StrCat("swarm,tcp,127.0.0.1,", ssh + 2, ",,3376")));
  EXPECT_THAT(host_.State()["interfaces"], IsEmpty());
}

TEST_F(VirtualboxDriverTest, AnotherHostIsReachedBySsh) {
  auto sshd = common::SshdForTest::Start(
      {absl::StrCat("SetEnv PATH=", getenv("PATH"), " FAKE_VBOX_DIR=", host_.Path(""),
                    " HOME=", host_.Path("home"))});
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  const common::SshTarget target = (*sshd)->target();
  Use({Option("virtualbox-image", host_.image()),
       Option("virtualbox-host",
              absl::StrCat("ssh://", target.user, "@", target.host, ":", target.port)),
       SecretOption("virtualbox-host-key-text", target.private_key),
       Option("virtualbox-host-fingerprint", (*sshd)->host_key_sha256())});
  const absl::Status checked = driver_->PreCreateCheck(Call(), machine_);
  ASSERT_TRUE(checked.ok()) << checked;
  const Observation made = Create();
  const int ssh = made.endpoint().ssh_port();
  EXPECT_EQ(made.endpoint().ssh_host(), target.host);
  EXPECT_EQ(made.endpoint().docker_url(), absl::StrCat("tcp://", target.host, ":", ssh + 1));
  EXPECT_THAT(Vm()["nat"], Contains(absl::StrCat("ssh,tcp,,", ssh, ",,22")));
  const std::string folder =
      host_.Path(absl::StrCat("home/.docker-machine/virtualbox/machines/", kUid));
  EXPECT_EQ(Vm()["media"]["1"], folder + "/seed.iso");
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_FALSE(std::filesystem::exists(folder));
  Use({Option("virtualbox-image", host_.image()), Option("virtualbox-host", "ssh://me@127.0.0.1:1"),
       SecretOption("virtualbox-host-key-text", target.private_key)});
  EXPECT_EQ(driver_->PreCreateCheck(Call(), machine_).code(), absl::StatusCode::kUnavailable);
}

TEST_F(VirtualboxDriverTest, MachinesGetDifferentPorts) {
  const int first = Create().endpoint().ssh_port();
  // Another machine in VirtualBox has this one's port.
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  host_.Change([&](Json& all) {
    all["vms"]["x"] = {{"name", "other"},
                       {"state", "poweroff"},
                       {"nat", {absl::StrCat("a,tcp,,", first, ",,22")}},
                       {"media", Json::object()},
                       {"extra", Json::object()},
                       {"options", Json::object()}};
  });
  EXPECT_NE(Create().endpoint().ssh_port(), first);
}

TEST_F(VirtualboxDriverTest, TheHostOnlyNetworkIsMadeOnceAndStays) {
  Create();
  machine_.uid = kOtherUid;
  machine_.name = "other";
  Create();
  EXPECT_THAT(host_.Log("hostonlyif\tcreate"), SizeIs(1));
  EXPECT_THAT(host_.Log("dhcpserver\tadd"), SizeIs(1));
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(host_.State()["interfaces"], SizeIs(1));
}

TEST_F(VirtualboxDriverTest, AStaleDhcpServerIsSetRight) {
  host_.Change([](Json& all) {
    all["dhcp"]["HostInterfaceNetworking-vboxnet0"] = {{"ip", "192.168.56.100"},
                                                       {"mask", "255.255.255.0"},
                                                       {"lower", "192.168.56.101"},
                                                       {"upper", "192.168.56.254"},
                                                       {"enabled", false}};
  });
  EXPECT_THAT(Create().endpoint().ip_addresses(), ElementsAre("192.168.59.102"));
  EXPECT_THAT(host_.Log("dhcpserver\tmodify"), SizeIs(1));
}

TEST_F(VirtualboxDriverTest, ARangeThatIsNotAllowedIsExplained) {
  host_.Order("denies_ranges", true);
  const absl::StatusOr<Observation> made = driver_->Create(Call(), machine_);
  EXPECT_THAT(made.status().message(), HasSubstr("/etc/vbox/networks.conf"));
  EXPECT_THAT(host_.State()["interfaces"], IsEmpty()) << "the new one is taken back";
}

TEST_F(VirtualboxDriverTest, TheAdditionsTellTheAddressWhereThereIsNoLease) {
  host_.Order("no_lease", true);
  host_.Order("additions_report", "192.168.59.200");
  EXPECT_THAT(Create().endpoint().ip_addresses(), ElementsAre("192.168.59.200"));
}

TEST_F(VirtualboxDriverTest, ARepeatedCreateAdoptsWhatIsThere) {
  const Observation made = Create();
  driver_ = NewDriver();
  EXPECT_EQ(Create().endpoint().SerializeAsString(), made.endpoint().SerializeAsString());
  EXPECT_THAT(host_.Log("createvm"), SizeIs(1));
  EXPECT_EQ(Vm()["starts"], 1);
  Use({Option("virtualbox-image", host_.image()), Option("virtualbox-memory", 4096)});
  EXPECT_EQ(driver_->Create(Call(), machine_).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(VirtualboxDriverTest, ACreateThatFailedAtAnyStepIsFinishedByTheNext) {
  for (const char* const command :
       {"createvm", "setextradata", "modifyvm", "storagectl", "clonemedium", "showmediuminfo",
        "modifymedium", "storageattach", "sharedfolder", "hostonlyif", "dhcpserver", "startvm",
        "list"}) {
    SCOPED_TRACE(command);
    Use({Option("virtualbox-image", host_.image()),
         Option("virtualbox-share-folder",
                std::vector<std::string>{host_.Path("bin") + ":/data"})});
    host_.Order("fails", command);
    const absl::StatusOr<Observation> failed = driver_->Create(Call(absl::Seconds(5)), machine_);
    EXPECT_FALSE(failed.ok());
    host_.Order("fails", "");
    driver_ = NewDriver();
    EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
    EXPECT_THAT(host_.State()["vms"], SizeIs(1));
    ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
    EXPECT_THAT(host_.State()["vms"], IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(Folder()));
    host_.Change([](Json& all) {
      all["interfaces"] = Json::object();
      all["dhcp"] = Json::object();
    });
  }
}

TEST_F(VirtualboxDriverTest, FilesOfAMachineThatWasNotRegisteredAreNoHindrance) {
  std::filesystem::create_directories(Folder() + "/dev");
  std::ofstream(Folder() + "/dev/dev.vbox") << "half";
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
}

TEST_F(VirtualboxDriverTest, ANameThatIsTakenIsRefused) {
  Create();
  machine_.uid = kOtherUid;
  for (const absl::Status& refused :
       {driver_->PreCreateCheck(Call(), machine_), driver_->Create(Call(), machine_).status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(refused.message(), HasSubstr("choose another name"));
  }
  EXPECT_THAT(host_.State()["vms"], SizeIs(1));
}

struct StateCase {
  std::string word;
  MachineState state;
};

class StateTest : public VirtualboxDriverTest, public testing::WithParamInterface<StateCase> {};

TEST_P(StateTest, IsShown) {
  Create();
  SetVmState(GetParam().word);
  EXPECT_EQ(StateNow(), GetParam().state);
}

INSTANTIATE_TEST_SUITE_P(
    All, StateTest,
    testing::Values(
        StateCase{"poweroff", MACHINE_STATE_STOPPED}, StateCase{"aborted", MACHINE_STATE_STOPPED},
        StateCase{"teleported", MACHINE_STATE_STOPPED}, StateCase{"saved", MACHINE_STATE_SAVED},
        StateCase{"aborted-saved", MACHINE_STATE_SAVED},
        StateCase{"running", MACHINE_STATE_RUNNING},
        StateCase{"livesnapshotting", MACHINE_STATE_RUNNING},
        StateCase{"onlinesnapshotting", MACHINE_STATE_RUNNING},
        StateCase{"deletingsnapshotlive", MACHINE_STATE_RUNNING},
        StateCase{"teleporting", MACHINE_STATE_RUNNING}, StateCase{"paused", MACHINE_STATE_PAUSED},
        StateCase{"teleportingpausedvm", MACHINE_STATE_PAUSED},
        StateCase{"deletingsnapshotlivepaused", MACHINE_STATE_PAUSED},
        StateCase{"starting", machine::v1::MACHINE_STATE_STARTING},
        StateCase{"restoring", machine::v1::MACHINE_STATE_STARTING},
        StateCase{"teleportingin", machine::v1::MACHINE_STATE_STARTING},
        StateCase{"settingup", machine::v1::MACHINE_STATE_STARTING},
        StateCase{"stopping", machine::v1::MACHINE_STATE_STOPPING},
        StateCase{"saving", machine::v1::MACHINE_STATE_STOPPING},
        StateCase{"snapshotting", MACHINE_STATE_STOPPED},
        StateCase{"restoringsnapshot", MACHINE_STATE_STOPPED},
        StateCase{"deletingsnapshot", MACHINE_STATE_STOPPED},
        StateCase{"gurumeditation", machine::v1::MACHINE_STATE_ERROR},
        StateCase{"stuck", machine::v1::MACHINE_STATE_ERROR},
        StateCase{"new", machine::v1::MACHINE_STATE_UNSPECIFIED}));

TEST_F(VirtualboxDriverTest, APausedMachineGoesOnAndASavedOneComesBack) {
  Create();
  SetVmState("paused");
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  EXPECT_EQ(Vm()["state"], "running");
  SetVmState("paused");
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok());
  EXPECT_EQ(Vm()["state"], "poweroff");
  SetVmState("saved");
  const absl::StatusOr<Observation> stopped = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), MACHINE_STATE_SAVED) << "its memory is not thrown away";
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  EXPECT_EQ(Vm()["state"], "running");
  SetVmState("saved");
  ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  EXPECT_EQ(Vm()["state"], "poweroff");
  SetVmState("saved");
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
}

TEST_F(VirtualboxDriverTest, AGuestThatIgnoresItsPowerButtonIsPoweredOffAfterAGrace) {
  Use({Option("virtualbox-image", host_.image()), Option("virtualbox-stop-grace", int64_t{0})});
  Create();
  host_.Order("ignores_acpi", true);
  const absl::StatusOr<Observation> stopped = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), MACHINE_STATE_STOPPED);
  EXPECT_EQ(Vm()["state"], "poweroff");
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  ASSERT_TRUE(driver_->Restart(Call(), machine_).ok());
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
}

TEST_F(VirtualboxDriverTest, AGuestThatIgnoresItsPowerButtonGoesOnWhenTheCallNamesItsGrace) {
  Create();
  host_.Order("ignores_acpi", true);
  const absl::StatusOr<Observation> stopped = driver_->Stop(Call(), machine_, absl::ZeroDuration());
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(stopped.status().message(), HasSubstr("did not shut down"));
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
}

TEST_F(VirtualboxDriverTest, WhatCannotWorkIsFoundBeforeAnythingIsMade) {
  host_.Order("no_vtx", true);
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(),
              HasSubstr("--virtualbox-no-vtx-check"));
  Use({Option("virtualbox-image", host_.image()), BoolOption("virtualbox-no-vtx-check", true)});
  EXPECT_TRUE(driver_->PreCreateCheck(Call(), machine_).ok());
  Use({Option("virtualbox-image", host_.Path("none.vmdk")),
       BoolOption("virtualbox-no-vtx-check", true)});
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(), HasSubstr("--virtualbox-image"));
  host_.Change([](Json& all) { all["version"] = "5.2.44r139111"; });
  driver_ = NewDriver();
  EXPECT_THAT(driver_->PreCreateCheck(Call(), machine_).message(), HasSubstr("6.1 or later"));
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
}

TEST_F(VirtualboxDriverTest, WarningsOfTheStarterAreNoOutput) {
  host_.Order("warns", true);
  ASSERT_TRUE(driver_->PreCreateCheck(Call(), machine_).ok());
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
}

TEST_F(VirtualboxDriverTest, AFailureHasVirtualboxsWordsWithoutTheTechnicalOnes) {
  host_.Order("fails", "startvm");
  const absl::StatusOr<Observation> made = driver_->Create(Call(), machine_);
  EXPECT_EQ(made.status().message(), "VBoxManage startvm: Some trouble with startvm");
}

TEST_F(VirtualboxDriverTest, MachinesAreListedByOrchestrator) {
  Create();
  host_.Change([](Json& all) {
    all["vms"][kOtherUid] = {{"name", "foreign"},       {"state", "poweroff"},
                             {"nat", Json::array()},    {"media", Json::object()},
                             {"extra", Json::object()}, {"options", Json::object()}};
  });
  const auto listed = driver_->ListInstances(Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  EXPECT_EQ(listed->front().observation().state(), MACHINE_STATE_RUNNING);
  EXPECT_THAT(*driver_->ListInstances(Call(), kOtherUid, machine_.options), IsEmpty());
}

TEST_F(VirtualboxDriverTest, AnImportedMachineIsKnownByItsName) {
  Create();
  // As the original made it: under another UUID.
  host_.Change([](Json& all) {
    all["vms"][kOtherUid] = all["vms"][kUid];
    all["vms"].erase(kUid);
    all["vms"][kOtherUid]["name"] = "old";
  });
  machine_.state = R"({"MachineName": "old", "SSHUser": "docker", "SSHPort": 50000})";
  machine_.state_version = kImportedStateVersion;
  const absl::StatusOr<std::string> upgraded = driver_->UpgradeState(Call(), machine_);
  ASSERT_TRUE(upgraded.ok()) << upgraded.status();
  machine_.state = *upgraded;
  absl::StatusOr<Observation> seen = driver_->Inspect(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(seen->endpoint().ssh_user(), "docker");
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok());
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(host_.State()["vms"], IsEmpty());
}

}  // namespace
}  // namespace machine::driver::virtualbox
