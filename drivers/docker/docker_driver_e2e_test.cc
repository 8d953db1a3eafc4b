// The driver on a real Docker Engine with the real host image.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/docker/docker_driver.h"
#include "drivers/docker/http_engine_transport.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/crypto/keys.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::driver::docker {
namespace {

using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_PAUSED;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_STOPPED;

// Its container and volumes are removed whatever becomes of the test.
class DockerDriverE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const address = getenv("MACHINE_BED_DOCKER_HOST");
    if (getuid() != 0 || address == nullptr) {
      GTEST_SKIP() << "no engine for tests: run deploy/test.sh, or see tests/e2e/README.md";
    }
    address_ = address;
    driver_ = std::make_unique<DockerDriver>(address_, HttpEngineTransports());
    key_file_ = absl::StrCat(testing::TempDir(), "/id");
    auto key = common::GenerateSshKeyPair("test");
    ASSERT_TRUE(key.ok()) << key.status();
    ASSERT_TRUE(
        common::WriteFileAtomically(key_file_, key->private_key.view(), 0600, {.fsync = false})
            .ok());
    machine_.uid = absl::StrCat("e2e-", getpid());
    machine_.name = "e2e";
    machine_.ssh_public_key = key->public_key;
    Use({});
  }

  void TearDown() override {
    if (driver_ == nullptr) return;
    EXPECT_TRUE(driver_->Remove(*Call(), machine_).ok());
    EXPECT_EQ(Docker({"ps", "-aq", "--filter", Filter()}), "");
    EXPECT_EQ(Docker({"volume", "ls", "-q", "--filter", Filter()}), "");
  }

  void Use(const std::vector<machine::v1::OptionValue>& values) {
    const absl::StatusOr<Options> options = MakeOptions(*driver_, values);
    ASSERT_TRUE(options.ok()) << options.status();
    machine_.options = *options;
  }

  DriverCall* Call() {
    calls_.push_back(MakeCall(machine_.uid, record_));
    return calls_.back().get();
  }

  std::string Filter() const { return absl::StrCat("label=org.machine.uid=", machine_.uid); }

  // What the docker client prints, or its error.
  std::string Docker(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"docker", "--host", address_});
    const auto result = common::RunProgram(arguments, {.timeout = absl::Seconds(60)});
    return result.ok() ? absl::StrCat(result->stdout_data, result->stderr_data)
                       : result.status().ToString();
  }

  // What `command` prints on the machine, by ssh; retried while sshd is not there yet.
  std::string Ssh(const Observation& machine, const std::string& command) const {
    const machine::v1::Endpoint& where = machine.endpoint();
    const std::vector<std::string> arguments = {"ssh",
                                                "-F",
                                                "none",
                                                "-i",
                                                key_file_,
                                                "-p",
                                                absl::StrCat(where.ssh_port()),
                                                "-o",
                                                "StrictHostKeyChecking=no",
                                                "-o",
                                                "UserKnownHostsFile=/dev/null",
                                                "-o",
                                                "BatchMode=yes",
                                                "-o",
                                                "LogLevel=ERROR",
                                                "-o",
                                                "ConnectionAttempts=20",
                                                "-l",
                                                where.ssh_user(),
                                                where.ssh_host(),
                                                command};
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (true) {
      const auto result = common::RunProgram(arguments, {.timeout = absl::Seconds(60)});
      if (!result.ok()) return result.status().ToString();
      // 255: no connection.
      if (result->exit_code != 255 || absl::Now() > deadline) {
        return absl::StrCat(result->stdout_data, result->stderr_data);
      }
    }
  }

  std::string address_;
  std::string key_file_;
  std::unique_ptr<DockerDriver> driver_;
  MachineSpec machine_;
  CallRecord record_;
  std::vector<std::unique_ptr<DriverCall>> calls_;
};

TEST_F(DockerDriverE2eTest, LivesAWholeLife) {
  ASSERT_TRUE(driver_->PreCreateCheck(*Call(), machine_).ok());
  const absl::Time begin = absl::Now();
  absl::StatusOr<Observation> machine = driver_->Create(*Call(), machine_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  const absl::Time created = absl::Now();
  EXPECT_EQ(machine->state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(machine->endpoint().docker_url(),
            absl::StrCat("tcp://", machine->endpoint().ip_addresses(0), ":2376"));
  EXPECT_EQ(Ssh(*machine, "echo $USER on $(hostname)"), "root on e2e\n");
  RecordProperty("create_ms", static_cast<int>(absl::ToInt64Milliseconds(created - begin)));
  RecordProperty("ssh_ms", static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - begin)));
  EXPECT_EQ(Ssh(*machine, "systemctl is-system-running --wait"), "running\n");

  // An engine runs containers in there, on a file system that does not copy.
  EXPECT_EQ(Ssh(*machine, "systemctl start docker && docker info -f '{{.Driver}}'"), "overlay2\n");
  EXPECT_EQ(Ssh(*machine,
                "tar -C / -ch usr/bin/env lib/x86_64-linux-gnu/libc.so.6 lib64/ld-linux-x86-64.so.2"
                " | docker import - tiny >/dev/null"
                " && docker run --rm tiny /usr/bin/env -i A=works /usr/bin/env && touch kept"),
            "A=works\n");

  machine = driver_->Stop(*Call(), machine_, std::nullopt);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->state(), MACHINE_STATE_STOPPED);
  EXPECT_FALSE(machine->has_endpoint());
  EXPECT_TRUE(driver_->Stop(*Call(), machine_, std::nullopt).ok()) << "is stopped already";
  EXPECT_TRUE(driver_->Kill(*Call(), machine_).ok()) << "is stopped already";

  machine = driver_->Start(*Call(), machine_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(Ssh(*machine, "ls kept; systemctl start docker && docker images -q tiny | wc -l"),
            "kept\n1\n");
  EXPECT_TRUE(driver_->Start(*Call(), machine_).ok()) << "runs already";

  const std::string boot = Ssh(*machine, "systemctl show -p UserspaceTimestampMonotonic");
  machine = driver_->Restart(*Call(), machine_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->state(), MACHINE_STATE_RUNNING);
  EXPECT_NE(Ssh(*machine, "systemctl show -p UserspaceTimestampMonotonic"), boot);

  machine = driver_->Kill(*Call(), machine_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->state(), MACHINE_STATE_STOPPED);
  ASSERT_TRUE(driver_->Remove(*Call(), machine_).ok());
  EXPECT_TRUE(driver_->Remove(*Call(), machine_).ok()) << "is gone already";
  machine = driver_->Inspect(*Call(), machine_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->state(), MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(driver_->Start(*Call(), machine_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DockerDriverE2eTest, AnotherUserLogsInAndMayBecomeRoot) {
  Use({Option("docker-ssh-user", "machine"), Option("docker-memory", 512),
       Option("docker-cpus", "0.5"),
       Option("docker-label", std::vector<std::string>{"tier=test"})});
  const absl::StatusOr<Observation> machine = driver_->Create(*Call(), machine_);
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(Ssh(*machine, "id -un; sudo -n id -un"), "machine\nroot\n");
  EXPECT_EQ(Docker({"ps", "-a", "--filter", "label=tier=test", "--filter", Filter(), "--format",
                    "{{.Names}}"}),
            Docker({"ps", "-a", "--filter", Filter(), "--format", "{{.Names}}"}));
  EXPECT_EQ(Docker({"inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}",
                    machine->instance_id()}),
            "536870912 500000000\n");
}

TEST_F(DockerDriverE2eTest, ARepeatedCreateAdoptsAndOtherSettingsAreRefused) {
  const absl::StatusOr<Observation> first = driver_->Create(*Call(), machine_);
  ASSERT_TRUE(first.ok()) << first.status();
  // Another process, which knows nothing: no state, no engine it has met.
  DockerDriver other(address_, HttpEngineTransports());
  const absl::StatusOr<Observation> second = other.Create(*Call(), machine_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->instance_id(), first->instance_id());
  Use({Option("docker-memory", 256)});
  const absl::Status refused = other.Create(*Call(), machine_).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(refused.message(), "--docker-memory was 0, asked for is 256"))
      << refused;
}

TEST_F(DockerDriverE2eTest, APausedMachineIsSeenStartedAndStopped) {
  const absl::StatusOr<Observation> created = driver_->Create(*Call(), machine_);
  ASSERT_TRUE(created.ok()) << created.status();
  Ssh(*created, "true");
  Docker({"pause", created->instance_id()});
  EXPECT_EQ(driver_->Inspect(*Call(), machine_)->state(), MACHINE_STATE_PAUSED);
  EXPECT_EQ(driver_->Start(*Call(), machine_)->state(), MACHINE_STATE_RUNNING);
  Docker({"pause", created->instance_id()});
  const absl::StatusOr<Observation> stopped = driver_->Stop(*Call(), machine_, std::nullopt);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_EQ(stopped->state(), MACHINE_STATE_STOPPED);
}

TEST_F(DockerDriverE2eTest, AGuestThatDoesNotObeyIsNotKilled) {
  const absl::StatusOr<Observation> created = driver_->Create(*Call(), machine_);
  ASSERT_TRUE(created.ok()) << created.status();
  const absl::Status status = driver_->Stop(*Call(), machine_, absl::ZeroDuration()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STEP_TIMEOUT);
}

TEST_F(DockerDriverE2eTest, AMissingImageOrNetworkIsSaidBeforeTheCreate) {
  Use({Option("docker-image", "no-such-image:1")});
  absl::Status status = driver_->PreCreateCheck(*Call(), machine_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(
      absl::StrContains(status.message(), absl::StrCat("deploy/hostimage/build.sh --docker-host ",
                                                       address_, " --image no-such-image:1")))
      << status;
  Use({Option("docker-network", "no-such-network")});
  status = driver_->PreCreateCheck(*Call(), machine_);
  EXPECT_TRUE(absl::StrContains(status.message(), "no network no-such-network")) << status;
}

TEST_F(DockerDriverE2eTest, BatchAndListSeeTheMachine) {
  const absl::StatusOr<Observation> created = driver_->Create(*Call(), machine_);
  ASSERT_TRUE(created.ok()) << created.status();
  MachineSpec unknown = machine_;
  unknown.uid = "no-such-machine";
  const auto batch = driver_->BatchInspect(*Call(), std::vector<MachineSpec>{unknown, machine_});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->at(0).state(), MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(batch->at(1).endpoint().docker_url(), created->endpoint().docker_url());
  const auto list = driver_->ListInstances(*Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(list.ok()) << list.status();
  // Others may run on this engine, too.
  EXPECT_EQ(
      std::count_if(list->begin(), list->end(),
                    [&](const auto& instance) { return instance.machine_uid() == machine_.uid; }),
      1);
}

}  // namespace
}  // namespace machine::driver::docker
