#include "drivers/docker/docker_driver.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/docker/fake_engine.h"
#include "drivers/docker/machine_container.h"
#include "drivers/docker/machine_creator.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"

namespace machine::driver::docker {
namespace {

using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_STOPPED;
using machine::v1::MACHINE_STATE_TIMEOUT;

constexpr absl::string_view kKey = "ssh-ed25519 AAAAC3Nza test";
constexpr absl::string_view kPasswd = "root:x:0:0:root:/root:/bin/bash\n";

class DockerDriverTest : public testing::Test {
 protected:
  DockerDriverTest() { Use({}); }

  void Use(const std::vector<machine::v1::OptionValue>& values) {
    const absl::StatusOr<Options> options = MakeOptions(driver_, values);
    ASSERT_TRUE(options.ok()) << options.status();
    machine_ = Machine("00000000-0000-4000-8000-000000000001");
    machine_.options = *options;
  }

  MachineSpec Machine(absl::string_view uid) const {
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = "dev";
    machine.options = machine_.options;
    machine.ssh_public_key = std::string(kKey);
    return machine;
  }

  DriverCall& Call(absl::Duration timeout = absl::Minutes(1)) {
    calls_.push_back(MakeCall(machine_.uid, record_, timeout));
    return *calls_.back();
  }

  absl::StatusOr<Observation> Create() { return driver_.Create(Call(), machine_); }

  // The machine is there once, whole, and lets the key in.
  void ExpectOneWholeMachine() {
    const FakeContainer& container = engine_.only();
    EXPECT_EQ(container.status, "running");
    ASSERT_FALSE(container.archives.empty());
    EXPECT_EQ(container.archives.back(), KeyArchive("root", kPasswd, kKey).value());
    EXPECT_EQ(engine_.containers.size(), 1u);
    EXPECT_EQ(engine_.volumes.size(), 2u);
  }

  FakeEngine engine_;
  DockerDriver driver_{"unix:///default.sock", engine_.transports()};
  MachineSpec machine_;
  CallRecord record_;
  std::vector<std::unique_ptr<DriverCall>> calls_;
};

TEST_F(DockerDriverTest, CreatesAPrivilegedMachineAndSaysWhatItDoes) {
  const absl::StatusOr<Observation> machine = Create();
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(machine->endpoint().ssh_host(), "172.17.0.2");
  EXPECT_EQ(machine->endpoint().ssh_port(), 22);
  EXPECT_EQ(machine->endpoint().ssh_user(), "root");
  EXPECT_EQ(machine->endpoint().docker_url(), "tcp://172.17.0.2:2376");
  EXPECT_EQ(record_.progress,
            (std::vector<std::string>{"Creating container...", "Starting container..."}));
  ExpectOneWholeMachine();
  EXPECT_EQ(engine_.only().specification["HostConfig"]["Privileged"], true);
  State state;
  ASSERT_TRUE(state.ParseFromString(machine->driver_state().data()));
  EXPECT_EQ(state.container_id(), engine_.only().id);
  EXPECT_FALSE(state.privileges().by_capabilities());
}

TEST_F(DockerDriverTest, WherePrivilegedIsRefusedTheEnginesOwnCapabilitiesAreGiven) {
  engine_.refuses_privileged = true;
  const absl::StatusOr<Observation> machine = Create();
  ASSERT_TRUE(machine.ok()) << machine.status();
  ExpectOneWholeMachine();
  const nlohmann::json& host = engine_.only().specification["HostConfig"];
  EXPECT_FALSE(host.contains("Privileged"));
  EXPECT_EQ(host["CapAdd"].size(), 37u);
  EXPECT_EQ(std::count(host["CapAdd"].begin(), host["CapAdd"].end(), "SYS_RESOURCE"), 0);
  EXPECT_EQ(std::count(host["CapAdd"].begin(), host["CapAdd"].end(), "SYS_ADMIN"), 1);
  State state;
  ASSERT_TRUE(state.ParseFromString(machine->driver_state().data()));
  EXPECT_EQ(state.privileges().bounding_set(), 0x1fffeffffffu);
}

TEST_F(DockerDriverTest, WhatTheEngineRefusesIsTriedOnceForAllMachines) {
  engine_.refuses_privileged = true;
  ASSERT_TRUE(Create().ok());
  engine_.requests.clear();
  ASSERT_TRUE(driver_.Create(Call(), Machine("another")).ok());
  EXPECT_EQ(engine_.Count("/containers/create"), 1);
}

TEST_F(DockerDriverTest, CapabilitiesThatCannotBeLearntAreAnErrorThatLeavesNoProbe) {
  engine_.refuses_privileged = true;
  engine_.bounding_set = "nonsense";
  const absl::Status status = Create().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "capabilities")) << status;
  EXPECT_TRUE(engine_.containers.empty());
}

TEST_F(DockerDriverTest, ACreateThatEndsAnywhereIsFinishedByTheNextOne) {
  engine_.refuses_privileged = true;  // The longest way.
  ASSERT_TRUE(Create().ok());
  const int steps = static_cast<int>(engine_.requests.size());
  ASSERT_GT(steps, 10);
  for (const auto accident :
       {FakeEngine::Accident::kBeforeTheEffect, FakeEngine::Accident::kAfterTheEffect}) {
    for (int step = 0; step < steps; ++step) {
      for (const bool state_survives : {false, true}) {
        SCOPED_TRACE(absl::StrCat("request ", step, " of ", steps, ", state ", state_survives));
        engine_.containers.clear();
        engine_.volumes.clear();
        engine_.LoseAnswer(step, accident);
        record_.checkpoints.clear();
        // Each in a process of its own.
        DockerDriver first("unix:///default.sock", engine_.transports());
        ASSERT_EQ(first.Create(Call(), machine_).status().code(), absl::StatusCode::kUnavailable);
        MachineSpec again = machine_;
        if (state_survives && !record_.checkpoints.empty()) {
          again.state = record_.checkpoints.back();
        }
        DockerDriver second("unix:///default.sock", engine_.transports());
        const absl::StatusOr<Observation> machine = second.Create(Call(), again);
        ASSERT_TRUE(machine.ok()) << machine.status();
        EXPECT_EQ(machine->state(), MACHINE_STATE_RUNNING);
        ExpectOneWholeMachine();
        ASSERT_TRUE(second.Remove(Call(), machine_).ok());
        EXPECT_TRUE(engine_.containers.empty());
        EXPECT_TRUE(engine_.volumes.empty());
      }
    }
  }
}

TEST_F(DockerDriverTest, ARepeatedCreateWithOtherSettingsIsRefused) {
  ASSERT_TRUE(Create().ok());
  Use({Option("docker-memory", 512)});
  const absl::Status status = Create().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_INSTANCE_DIFFERS);
  EXPECT_TRUE(absl::StrContains(status.message(), "--docker-memory was 0, asked for is 512"))
      << status;
}

TEST_F(DockerDriverTest, AForeignContainerWithOurNameIsNotTaken) {
  const std::string name =
      ContainerName({machine_.uid, machine_.name, std::string(kTestOrchestrator)});
  FakeContainer foreign;
  foreign.name = name;
  foreign.specification = {{"Labels", nlohmann::json::object()},
                           {"HostConfig", {{"NetworkMode", "bridge"}}}};
  engine_.containers.push_back(foreign);
  const absl::Status status = Create().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(absl::StrContains(status.message(), name)) << status;
  EXPECT_EQ(engine_.containers.size(), 1u);
}

TEST_F(DockerDriverTest, ADeadRestIsReplaced) {
  ASSERT_TRUE(Create().ok());
  engine_.only().status = "dead";
  const std::string id = engine_.only().id;
  ASSERT_TRUE(Create().ok());
  EXPECT_NE(engine_.only().id, id);
  ExpectOneWholeMachine();
}

TEST_F(DockerDriverTest, AMachineThatEndsAtOnceIsAnErrorWithItsLastWords) {
  engine_.status_after_start = "restarting";
  engine_.AnswerOnce("/logs", {200, "Failed to mount cgroup"});
  const absl::Status status = Create().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "Failed to mount cgroup")) << status;
}

TEST_F(DockerDriverTest, TheEnginesOwnWordsSayWhyItCannotStart) {
  engine_.AnswerOnce("/start", {500, R"({"message": "no space left on device"})"});
  const absl::Status status = Create().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(status.message(), "no space left on device")) << status;
}

TEST_F(DockerDriverTest, ThroughTcpThePortsArePublishedAndTakenOnesPassedOver) {
  Use({Option("docker-endpoint", "tcp://127.0.0.1:2375")});
  const PublishedPorts first = PortsToTry(machine_.uid, 0);
  const PublishedPorts second = PortsToTry(machine_.uid, 1);
  const PublishedPorts third = PortsToTry(machine_.uid, 2);
  engine_.taken_ports = {first.ssh, second.engine};
  const absl::StatusOr<Observation> machine = Create();
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->endpoint().ssh_host(), "127.0.0.1");
  EXPECT_EQ(machine->endpoint().ssh_port(), third.ssh);
  EXPECT_EQ(machine->endpoint().docker_url(), absl::StrCat("tcp://127.0.0.1:", third.engine));
  ExpectOneWholeMachine();
}

TEST_F(DockerDriverTest, StartAndStopAreGoals) {
  ASSERT_TRUE(Create().ok());
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<Observation> stopped = driver_.Stop(Call(), machine_, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state(), MACHINE_STATE_STOPPED);
    EXPECT_FALSE(stopped->has_endpoint());
  }
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<Observation> started = driver_.Start(Call(), machine_);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), MACHINE_STATE_RUNNING);
  }
  EXPECT_EQ(engine_.Count("/kill?signal=SIGRTMIN%2B3"), 1);
  EXPECT_EQ(engine_.Count("/start"), 2);
}

TEST_F(DockerDriverTest, TheAddressIsReadAgainAfterEachStart) {
  ASSERT_TRUE(Create().ok());
  ASSERT_TRUE(driver_.Stop(Call(), machine_, std::nullopt).ok());
  engine_.only().address = "172.17.0.99";
  EXPECT_EQ(driver_.Start(Call(), machine_)->endpoint().docker_url(), "tcp://172.17.0.99:2376");
}

TEST_F(DockerDriverTest, AGuestThatDoesNotObeyIsLeftRunning) {
  ASSERT_TRUE(Create().ok());
  engine_.guests_obey = false;
  const absl::Status status = driver_.Stop(Call(), machine_, absl::ZeroDuration()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_EQ(engine_.only().status, "running");
  EXPECT_EQ(driver_.Kill(Call(), machine_)->state(), MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Kill(Call(), machine_).ok()) << "is stopped already";
}

TEST_F(DockerDriverTest, AGuestThatMissedTheSignalIsAskedAgain) {
  ASSERT_TRUE(Create().ok());
  engine_.signals_missed = 1;
  EXPECT_EQ(driver_.Stop(Call(), machine_, std::nullopt)->state(), MACHINE_STATE_STOPPED);
  EXPECT_EQ(engine_.Count("/kill?signal=SIGRTMIN%2B3"), 2);
}

TEST_F(DockerDriverTest, ACancelledStopReturnsAtOnce) {
  ASSERT_TRUE(Create().ok());
  engine_.guests_obey = false;
  DriverCall& call = Call();
  call.cancellation()->Cancel();
  EXPECT_EQ(driver_.Stop(call, machine_, std::nullopt).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(engine_.Count("/kill"), 0);
}

TEST_F(DockerDriverTest, AMachineBetweenTwoRestartsIsKeptFromTheNext) {
  ASSERT_TRUE(Create().ok());
  engine_.only().status = "restarting";
  EXPECT_EQ(driver_.Stop(Call(), machine_, std::nullopt)->state(), MACHINE_STATE_STOPPED);
  engine_.only().status = "restarting";
  EXPECT_EQ(driver_.Kill(Call(), machine_)->state(), MACHINE_STATE_STOPPED);
}

TEST_F(DockerDriverTest, RestartStopsAndStartsAndStartsWhatIsStopped) {
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(driver_.Restart(Call(), machine_)->state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(engine_.Count("/kill"), 1);
  ASSERT_TRUE(driver_.Stop(Call(), machine_, std::nullopt).ok());
  EXPECT_EQ(driver_.Restart(Call(), machine_)->state(), MACHINE_STATE_RUNNING);
}

TEST_F(DockerDriverTest, VerbsOnAMachineThatIsGoneSaySo) {
  for (const absl::Status& status :
       {driver_.Start(Call(), machine_).status(), driver_.Kill(Call(), machine_).status(),
        driver_.Stop(Call(), machine_, std::nullopt).status(),
        driver_.Restart(Call(), machine_).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_INSTANCE_GONE);
  }
  EXPECT_EQ(driver_.Inspect(Call(), machine_)->state(), MACHINE_STATE_NOT_FOUND);
  EXPECT_TRUE(driver_.Remove(Call(), machine_).ok());
}

TEST_F(DockerDriverTest, RemoveWaitsForARemovalThatIsUnderWay) {
  ASSERT_TRUE(Create().ok());
  engine_.AnswerOnce("DELETE /v1.41/containers",
                     {409, R"({"message": "removal of container c is already in progress"})"});
  // The container stays in this engine, so the wait ends with the call.
  EXPECT_EQ(driver_.Remove(Call(absl::Milliseconds(120)), machine_).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(engine_.volumes.size(), 2u);
  EXPECT_TRUE(driver_.Remove(Call(), machine_).ok());
  EXPECT_TRUE(engine_.volumes.empty());
}

TEST_F(DockerDriverTest, RemoveLeavesOtherMachinesAlone) {
  ASSERT_TRUE(Create().ok());
  const MachineSpec other = Machine("another");
  ASSERT_TRUE(driver_.Create(Call(), other).ok());
  ASSERT_TRUE(driver_.Remove(Call(), machine_).ok());
  EXPECT_EQ(engine_.only().specification["Labels"][std::string(kUidLabel)], "another");
  EXPECT_EQ(engine_.volumes.size(), 2u);
}

TEST_F(DockerDriverTest, ABatchOfAnySizeIsOneRequestForEachEngine) {
  std::vector<MachineSpec> machines;
  for (int i = 0; i < 100; ++i) {
    machines.push_back(Machine(absl::StrCat("uid-", i)));
    if (i % 2 == 0) {
      ASSERT_TRUE(driver_.Create(Call(), machines.back()).ok());
    }
  }
  engine_.requests.clear();
  const auto batch = driver_.BatchInspect(Call(), machines);
  ASSERT_TRUE(batch.ok()) << batch.status();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(batch->at(i).state(), i % 2 == 0 ? MACHINE_STATE_RUNNING : MACHINE_STATE_NOT_FOUND);
  }
  EXPECT_EQ(engine_.requests.size(), 1u);
  EXPECT_TRUE(driver_.BatchInspect(Call(), {})->empty());
}

TEST_F(DockerDriverTest, OneSilentEngineOfABatchHidesNoOther) {
  ASSERT_TRUE(Create().ok());
  std::vector<MachineSpec> machines = {machine_};
  Use({Option("docker-endpoint", "unix:///silent.sock")});
  machines.push_back(machine_);
  // Both are the same engine here; the accident meets the second connection's first request.
  engine_.AnswerOnce("GET /version", {503, R"({"message": "engine is starting"})"});
  const auto batch = driver_.BatchInspect(Call(), machines);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->at(0).state(), MACHINE_STATE_RUNNING);
  EXPECT_EQ(batch->at(1).state(), MACHINE_STATE_TIMEOUT);
  // When all are silent, the cause is worth more.
  engine_.AnswerOnce("/containers/json", {503, R"({"message": "engine is starting"})"});
  EXPECT_EQ(driver_.BatchInspect(Call(), {machines.data(), 1}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(DockerDriverTest, ListsItsOrchestratorsMachinesOnly) {
  ASSERT_TRUE(Create().ok());
  const auto list = driver_.ListInstances(Call(), kTestOrchestrator, machine_.options);
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->front().machine_uid(), machine_.uid);
  EXPECT_EQ(list->front().observation().state(), MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.ListInstances(Call(), "another", machine_.options)->empty());
}

struct CheckCase {
  std::string label;
  std::vector<machine::v1::OptionValue> options;
  void (*prepare)(FakeEngine&);
  std::string message;
};

class PreCreateCheckTest : public DockerDriverTest,
                           public testing::WithParamInterface<CheckCase> {};

TEST_P(PreCreateCheckTest, SaysWhatIsInTheWay) {
  Use(GetParam().options);
  GetParam().prepare(engine_);
  const absl::Status status = driver_.PreCreateCheck(Call(), machine_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().message)) << status;
  EXPECT_TRUE(engine_.containers.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Faults, PreCreateCheckTest,
    testing::ValuesIn<CheckCase>({
        {"MissingImage",
         {},
         [](FakeEngine& engine) { engine.images.clear(); },
         "build it with: deploy/hostimage/build.sh --docker-host unix:///default.sock --image "
         "machine-host:bookworm"},
        {"MissingNetwork",
         {Option("docker-network", "lab")},
         [](FakeEngine&) {},
         "--docker-network: the engine at unix:///default.sock has no network lab"},
        {"TooMuchMemory",
         {Option("docker-memory", 8192)},
         [](FakeEngine&) {},
         "--docker-memory: the engine's host has 4096 MiB"},
        {"TooManyCpus",
         {Option("docker-cpus", "2.5")},
         [](FakeEngine&) {},
         "--docker-cpus: the engine's host has 2 CPUs"},
        {"NoDiskLimits",
         {Option("docker-disk", 1024)},
         [](FakeEngine&) {},
         "--docker-disk: the engine can limit a machine's disk only on XFS"},
        {"WindowsContainers",
         {},
         [](FakeEngine& engine) { engine.os_type = "windows"; },
         "runs windows containers"},
        {"OldEngine", {}, [](FakeEngine& engine) { engine.api_version = "1.24"; }, "too old"},
        {"NoEngine",
         {},
         [](FakeEngine& engine) { engine.LoseAnswer(0, FakeEngine::Accident::kBeforeTheEffect); },
         "no Docker Engine answers at unix:///default.sock (connection reset by peer): start it "
         "there, or name another with --docker-endpoint"},
    }),
    [](const auto& info) { return info.param.label; });

TEST_F(DockerDriverTest, APreCreateCheckPassesWhereLimitsCanBeHeld) {
  engine_.backing_file_system = "xfs";
  Use({Option("docker-disk", 1024), Option("docker-memory", 1024), Option("docker-cpus", "2")});
  const absl::Status status = driver_.PreCreateCheck(Call(), machine_);
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_TRUE(Create().ok());
  int limited = 0;
  for (const auto& [name, volume] : engine_.volumes) {
    if (volume.contains("DriverOpts") && volume["DriverOpts"]["size"] == "1024M") ++limited;
  }
  EXPECT_EQ(limited, 1);
}

TEST_F(DockerDriverTest, TheSchemaIsSound) {
  EXPECT_TRUE(driver_.flags().CheckSchema().ok()) << driver_.flags().CheckSchema();
}

}  // namespace
}  // namespace machine::driver::docker
