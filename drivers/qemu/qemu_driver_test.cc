// The driver on a host whose QEMU is a fake.
#include "drivers/qemu/qemu_driver.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/qemu/qmp.h"
#include "drivers/qemu/state.pb.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/file/file.h"
#include "services/common/log/log.h"
#include "services/common/process/unique_fd.h"
#include "tests/fakes/qemu/fake_qemu_host.h"

namespace machine::driver::qemu {
namespace {

using machine::v1::MACHINE_STATE_ERROR;
using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_PAUSED;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_STARTING;
using machine::v1::MACHINE_STATE_STOPPED;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b01";
constexpr char kOtherUid[] = "2d5f7ad8-3a2f-4f6e-9d51-0d1c5d3a9b02";

class QemuDriverTest : public testing::Test {
 protected:
  QemuDriverTest() {
    machine_.uid = kUid;
    machine_.name = "dev";
    machine_.ssh_public_key = std::string(kTestKey);
    driver_ = NewDriver();
    Use({});
  }

  static DriverEnvironment Environment(const std::string& data_dir) {
    return {.log = common::Logger(common::Severity::kDebug, "qemu", STDERR_FILENO),
            .data_dir = data_dir};
  }

  // As another process: it remembers nothing.
  std::unique_ptr<QemuDriver> NewDriver() {
    // The device is a plain file: whether KVM works is for the fake to say.
    auto driver = std::make_unique<QemuDriver>(host_.image());
    EXPECT_TRUE(driver->Init(Environment(host_.Path("qemu"))).ok());
    return driver;
  }

  void Use(std::vector<machine::v1::OptionValue> values) {
    values.push_back(Option("qemu-image", host_.image()));
    UseExactly(values);
  }
  void UseExactly(const std::vector<machine::v1::OptionValue>& values) {
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

  std::string Folder() const { return host_.Path(absl::StrCat("qemu/machines/", machine_.uid)); }
  pid_t Pid() const {
    const std::vector<pid_t> running = host_.Running(machine_.uid);
    EXPECT_THAT(running, SizeIs(1));
    return running.empty() ? 0 : running.front();
  }
  std::vector<std::string> Entries(const std::string& folder) const {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  fakes::FakeQemuHost host_;
  MachineSpec machine_;
  std::unique_ptr<QemuDriver> driver_;
  CallRecord record_;
  std::vector<std::unique_ptr<DriverCall>> calls_;
};

// A port of the loopback address, taken.
class TakenPort {
 public:
  explicit TakenPort(int port = 0) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where = {};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)), 0);
    EXPECT_EQ(listen(fd_.get(), 1), 0);
    socklen_t size = sizeof(where);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
  }
  int port() const { return port_; }

 private:
  const common::UniqueFd fd_;
  int port_ = 0;
};

TEST_F(QemuDriverTest, LivesAWholeLife) {
  ASSERT_TRUE(driver_->PreCreateCheck(Call(), machine_).ok());
  const Observation made = Create();
  EXPECT_EQ(made.state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(made.endpoint().ssh_host(), "127.0.0.1");
  EXPECT_GE(made.endpoint().ssh_port(), 20000);
  EXPECT_EQ(made.endpoint().ssh_user(), "machine");
  EXPECT_EQ(made.endpoint().docker_url(),
            absl::StrCat("tcp://127.0.0.1:", made.endpoint().ssh_port() + 1));
  const pid_t first = Pid();
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok()) << "runs already";
  EXPECT_EQ(Pid(), first);

  absl::StatusOr<Observation> seen = driver_->Stop(Call(), machine_, std::nullopt);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), MACHINE_STATE_STOPPED);
  EXPECT_FALSE(seen->has_endpoint());
  EXPECT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok()) << "is stopped already";
  EXPECT_TRUE(driver_->Kill(Call(), machine_).ok()) << "is stopped already";

  seen = driver_->Start(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->endpoint().SerializeAsString(), made.endpoint().SerializeAsString());
  const pid_t second = Pid();
  EXPECT_NE(second, first);
  seen = driver_->Restart(Call(), machine_);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_NE(Pid(), second);

  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_TRUE(driver_->Remove(Call(), machine_).ok()) << "is gone already";
  EXPECT_EQ(StateNow(), MACHINE_STATE_NOT_FOUND);
  EXPECT_THAT(host_.Running(kUid), IsEmpty());
  EXPECT_THAT(Entries(host_.Path("qemu/machines")), IsEmpty());
  EXPECT_THAT(Entries(host_.Path("qemu/images")), IsEmpty()) << "no machine needs the image";
  EXPECT_EQ(driver_->Start(Call(), machine_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(QemuDriverTest, AnotherProcessFindsTheMachineByItsUid) {
  const Observation made = Create();
  const pid_t pid = Pid();
  driver_ = NewDriver();
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
  const Observation again = Create();
  EXPECT_EQ(again.SerializeAsString(), made.SerializeAsString());
  EXPECT_EQ(Pid(), pid);
}

TEST_F(QemuDriverTest, SecretsAndDisksAreTheOwnersOnly) {
  Create();
  EXPECT_EQ(std::filesystem::status(Folder()).permissions(), std::filesystem::perms::owner_all);
  EXPECT_THAT(*common::ReadFile(Folder() + "/seed.iso"), HasSubstr(std::string(kTestKey)));
}

TEST_F(QemuDriverTest, OtherSettingsAreRefused) {
  Create();
  Use({Option("qemu-cpus", 4)});
  const absl::Status status = driver_->Create(Call(), machine_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--qemu-cpus was 2, asked for is 4"));
}

TEST_F(QemuDriverTest, SoftwareEmulationIsSaidWithTheReason) {
  Create();
  EXPECT_THAT(record_.progress, Contains(HasSubstr("software emulation")));
  EXPECT_THAT(record_.progress, Contains(HasSubstr("failed to set MSR")));
}

TEST_F(QemuDriverTest, KvmIsUsedWhereAFirstGuestRuns) {
  host_.Order("kvm");
  Use({Option("qemu-accelerator", "kvm")});
  EXPECT_TRUE(driver_->PreCreateCheck(Call(), machine_).ok());
  Create();
  EXPECT_THAT(record_.progress, Not(Contains(HasSubstr("software emulation"))));
}

TEST_F(QemuDriverTest, KvmThatIsWantedAndDoesNotWorkIsAnError) {
  Use({Option("qemu-accelerator", "kvm")});
  const absl::Status status = driver_->PreCreateCheck(Call(), machine_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("KVM does not work on this host"));
}

TEST_F(QemuDriverTest, WithoutAnImageTheErrorSaysHowToGetOne) {
  UseExactly({});
  const absl::Status status = driver_->PreCreateCheck(Call(), machine_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("deploy/hostimage/build-disk.sh"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--qemu-image"));
}

struct ImageCase {
  std::string label;
  std::string image;
  std::string words;
};

class QemuDriverImageTest : public QemuDriverTest, public testing::WithParamInterface<ImageCase> {};

TEST_P(QemuDriverImageTest, IsRefusedBeforeAnythingIsMade) {
  const std::string path = host_.Path("odd.img");
  ASSERT_TRUE(common::WriteFileAtomically(path, GetParam().image, 0600, {.fsync = false}).ok());
  UseExactly({Option("qemu-image", path)});
  const absl::Status status = driver_->PreCreateCheck(Call(), machine_);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().words));
  EXPECT_EQ(driver_->Create(Call(), machine_).status().code(), status.code());
  EXPECT_THAT(Entries(host_.Path("qemu/machines")), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Rows, QemuDriverImageTest,
    testing::ValuesIn<ImageCase>({
        {"OtherFormat", R"({"format": "vmdk", "virtual-size": 1})", "qemu-img convert"},
        {"RefersToAnotherFile",
         R"({"format": "qcow2", "virtual-size": 1, "backing-filename": "/etc/shadow"})",
         "refers to another file"},
        {"HasItsDataElsewhere",
         R"({"format": "qcow2", "virtual-size": 1,
             "format-specific": {"data": {"data-file": "/etc/shadow"}}})",
         "refers to another file"},
        {"LargerThanTheDisk", R"({"format": "qcow2", "virtual-size": 99999999999999})",
         "--qemu-disk-size"},
    }),
    [](const auto& info) { return info.param.label; });

TEST_F(QemuDriverTest, AnImageThatIsReplacedStaysForTheMachinesMadeFromIt) {
  Create();
  const std::string fresh = R"({"format": "qcow2", "virtual-size": 2097152})";
  ASSERT_TRUE(common::WriteFileAtomically(host_.image(), fresh, 0600, {.fsync = false}).ok());
  EXPECT_TRUE(driver_->Restart(Call(), machine_).ok());
  machine_.uid = kOtherUid;
  Create();
  EXPECT_THAT(Entries(host_.Path("qemu/images")), SizeIs(2));
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(Entries(host_.Path("qemu/images")), SizeIs(1)) << "the other machine's";
}

TEST_F(QemuDriverTest, MachinesHavePortsOfTheirOwn) {
  const Observation one = Create();
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok());
  machine_.uid = kOtherUid;
  const Observation other = Create();
  EXPECT_NE(one.endpoint().ssh_port(), other.endpoint().ssh_port());
  EXPECT_NE(one.endpoint().docker_url(), other.endpoint().docker_url());
}

TEST_F(QemuDriverTest, APortThatIsTakenInTheLastMomentIsReplacedAtACreate) {
  host_.Order("fail", "Could not set up host forwarding rule 'tcp:127.0.0.1:1-:22'");
  const Observation made = Create();
  EXPECT_EQ(made.state(), MACHINE_STATE_RUNNING);
  State last;
  ASSERT_THAT(record_.checkpoints, Not(IsEmpty()));
  ASSERT_TRUE(last.ParseFromString(record_.checkpoints.back()));
  EXPECT_EQ(last.ports().ssh(), made.endpoint().ssh_port());
}

TEST_F(QemuDriverTest, APortThatIsTakenAtAStartIsAnErrorThatNamesIt) {
  const Observation made = Create();
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok());
  const TakenPort taken(made.endpoint().ssh_port());
  const absl::Status status = driver_->Start(Call(), machine_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat(taken.port())));
}

TEST_F(QemuDriverTest, APortThatIsAskedForAndTakenIsRefused) {
  const TakenPort taken;
  Use({Option("qemu-engine-port", taken.port())});
  const absl::Status status = driver_->Create(Call(), machine_).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("--qemu-engine-port"));
  EXPECT_THAT(Entries(host_.Path("qemu/machines")), IsEmpty());
}

TEST_F(QemuDriverTest, QemusOwnWordsAreInTheError) {
  host_.Order("fail", "Could not open the moon");
  const absl::Status status = driver_->Create(Call(), machine_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Could not open the moon"));
  // The next attempt goes on from there.
  Create();
  EXPECT_THAT(host_.Started(), SizeIs(1));
}

TEST_F(QemuDriverTest, AGuestThatDoesNotObeyGoesOnRunning) {
  Create();
  host_.Order("deaf");
  const absl::Status status = driver_->Stop(Call(), machine_, absl::Milliseconds(50)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
  ASSERT_TRUE(driver_->Kill(Call(), machine_).ok());
  EXPECT_EQ(StateNow(), MACHINE_STATE_STOPPED);
}

TEST_F(QemuDriverTest, AQemuThatSaysNothingIsKilledByItsNumber) {
  Create();
  host_.Order("silent");
  calls_.push_back(MakeCall(kUid, record_, absl::Milliseconds(200)));
  EXPECT_FALSE(driver_->Inspect(*calls_.back(), machine_).ok());
  // The whole time is the limit of one question to QEMU.
  ASSERT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(host_.Running(kUid), IsEmpty());
}

TEST_F(QemuDriverTest, AProcessThatIsKilledIsAMachineThatIsStopped) {
  Create();
  ASSERT_EQ(kill(Pid(), SIGKILL), 0);
  while (!host_.Running(kUid).empty()) std::this_thread::yield();
  EXPECT_EQ(StateNow(), MACHINE_STATE_STOPPED) << "whatever its pid file says";
  EXPECT_TRUE(driver_->Start(Call(), machine_).ok());
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
}

TEST_F(QemuDriverTest, APidFileThatNamesAnotherProcessHarmsNobody) {
  Create();
  ASSERT_TRUE(driver_->Stop(Call(), machine_, std::nullopt).ok());
  ASSERT_TRUE(common::WriteFileAtomically(Folder() + "/pid", absl::StrCat(getpid(), "\n"), 0600,
                                          {.fsync = false})
                  .ok());
  EXPECT_EQ(StateNow(), MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_->Kill(Call(), machine_).ok());
  EXPECT_TRUE(driver_->Start(Call(), machine_).ok());
}

struct StatusCase {
  std::string status;
  MachineState state;
};

TEST_F(QemuDriverTest, StatesAreQemusOwn) {
  Create();
  for (const StatusCase& row :
       std::vector<StatusCase>{{"running", MACHINE_STATE_RUNNING},
                               {"paused", MACHINE_STATE_PAUSED},
                               {"suspended", MACHINE_STATE_PAUSED},
                               {"prelaunch", MACHINE_STATE_STARTING},
                               {"shutdown", machine::v1::MACHINE_STATE_STOPPING},
                               {"io-error", MACHINE_STATE_ERROR},
                               {"guest-panicked", MACHINE_STATE_ERROR},
                               {"from-the-future", machine::v1::MACHINE_STATE_UNSPECIFIED}}) {
    host_.Order("status", row.status);
    EXPECT_EQ(StateNow(), row.state) << row.status;
  }
}

TEST_F(QemuDriverTest, AMachineThatWasPausedGoesOnByStart) {
  Create();
  const pid_t pid = Pid();
  {
    absl::StatusOr<Qmp> qmp = Qmp::Connect(Folder(), absl::Now() + absl::Seconds(10));
    ASSERT_TRUE(qmp.ok()) << qmp.status();
    ASSERT_TRUE(qmp->Execute("stop", absl::Now() + absl::Seconds(10)).ok());
  }  // It serves one at a time.
  EXPECT_EQ(StateNow(), MACHINE_STATE_PAUSED);
  ASSERT_TRUE(driver_->Start(Call(), machine_).ok());
  EXPECT_EQ(StateNow(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(Pid(), pid);
}

TEST_F(QemuDriverTest, WithABridgeTheGuestsAgentTellsTheAddress) {
  host_.Order("agent", "192.0.2.7");
  Use({Option("qemu-bridge", "lo")});
  ASSERT_TRUE(driver_->PreCreateCheck(Call(), machine_).ok());
  const Observation made = Create();
  EXPECT_EQ(made.endpoint().ip_addresses(0), "192.0.2.7");
  EXPECT_EQ(made.endpoint().ssh_port(), 22);
  EXPECT_EQ(made.endpoint().docker_url(), "tcp://192.0.2.7:2376");
}

TEST_F(QemuDriverTest, WhatTheHostLacksIsRefused) {
  struct Row {
    machine::v1::OptionValue option;
    std::string words;
  };
  for (const Row& row : std::vector<Row>{
           {Option("qemu-bridge", "br-nowhere"), "no interface br-nowhere"},
           {Option("qemu-tap", "tap-nowhere"), "no interface tap-nowhere"},
           {Option("qemu-share", std::vector<std::string>{"/nowhere:/x"}), "no folder /nowhere"},
           {Option("qemu-firmware", "/nowhere/CODE.fd"), "--qemu-firmware"},
           {Option("qemu-memory", int64_t{1} << 30), "--qemu-memory"}}) {
    Use({row.option});
    const absl::Status status = driver_->PreCreateCheck(Call(), machine_);
    EXPECT_THAT(std::string(status.message()), HasSubstr(row.words));
  }
}

TEST_F(QemuDriverTest, FirmwareHasVariablesOfTheMachinesOwn) {
  for (const char* const half : {"CODE.fd", "VARS.fd"}) {
    ASSERT_TRUE(common::WriteFileAtomically(host_.Path(half), half, 0600, {.fsync = false}).ok());
  }
  Use({Option("qemu-firmware", host_.Path("CODE.fd"))});
  Create();
  EXPECT_EQ(*common::ReadFile(Folder() + "/uefi-variables.fd"), "VARS.fd");
}

TEST_F(QemuDriverTest, ADamagedFileOfAMachineIsNamedAndItCanBeRemoved) {
  Create();
  const std::string file = Folder() + "/machine.json";
  ASSERT_TRUE(common::WriteFileAtomically(file, "{", 0600, {.fsync = false}).ok());
  const absl::Status status = driver_->Inspect(Call(), machine_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(file));
  EXPECT_TRUE(driver_->Remove(Call(), machine_).ok());
  EXPECT_THAT(host_.Running(kUid), IsEmpty());
}

TEST_F(QemuDriverTest, AFolderWithAVeryLongPathIsNoObstacle) {
  const std::string folder = host_.Path(absl::StrCat(std::string(120, 'x'), "/a,b"));
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(driver_->Init(Environment(folder)).ok());
  EXPECT_EQ(Create().state(), MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_->Remove(Call(), machine_).ok());
}

TEST_F(QemuDriverTest, OnlyTheOrchestratorsOwnAreListed) {
  Create();
  auto listed = driver_->ListInstances(Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(*listed, SizeIs(1));
  EXPECT_EQ(listed->front().machine_uid(), kUid);
  EXPECT_EQ(listed->front().observation().state(), MACHINE_STATE_RUNNING);
  listed = driver_->ListInstances(Call(), "another", machine_.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_THAT(*listed, IsEmpty());
}

TEST_F(QemuDriverTest, AUidThatIsAPathIsRefused) {
  machine_.uid = "../../../../../../../../../../../home";
  EXPECT_EQ(driver_->Remove(Call(), machine_).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(driver_->Inspect(Call(), machine_).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(QemuDriverTest, WithoutAFolderNothingIsMade) {
  ASSERT_TRUE(driver_->Init(Environment("")).ok());
  EXPECT_EQ(driver_->Create(Call(), machine_).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace machine::driver::qemu
