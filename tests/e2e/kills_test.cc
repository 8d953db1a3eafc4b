// kill -9 in the middle of a create, on real machines: the create goes on, or says what to do;
// nothing claims to be Running that is not; and there is one machine, never two.
//
// tests/integration/crash_test.cc has each point of an operation; here it is what the kill leaves
// on an engine or a host that counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "tests/e2e/bed.h"
#include "tests/e2e/docker_machine.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLimit = absl::Minutes(2);

class KillsTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!Bed::Ready()) GTEST_SKIP() << kNoBed;
    box_.emplace(bed_);
  }

  std::string StateOf(absl::string_view name) const {
    return Line(Run(absl::StrCat("ls --filter name=^", name, "$ -f {{.State}}")).out);
  }

  Outcome Docker(absl::string_view machine, absl::string_view words) const {
    return world_.RunOther(
        {"bash", "-euc", absl::StrCat("docker $(docker-machine config ", machine, ") ", words)});
  }

  void AwaitContainer() const {
    ASSERT_TRUE(Eventually(kLimit, [&] { return !box_->Containers().empty(); }));
  }

  // The machine is Creating until it is Running, and then it can be used.
  void AwaitRunning(absl::string_view name) const {
    std::string state;
    ASSERT_TRUE(Eventually(kLimit, [&] {
      state = StateOf(name);
      return state != "Creating";
    }));
    ASSERT_EQ(state, "Running");
    const Outcome used = Docker(name, "version");
    EXPECT_EQ(used.exit_code, 0) << used;
  }

  void ExpectOneMachineThatCanBeRemoved() const {
    AwaitRunning(box_->name());
    EXPECT_THAT(box_->Containers(), SizeIs(1));
    EXPECT_THAT(box_->Volumes(), SizeIs(2));
    EXPECT_EQ(Run("ls -q").out, box_->name() + "\n");
    EXPECT_EQ(Run(absl::StrCat("ssh ", box_->name(), " hostname")).out, box_->name() + "\n");
    EXPECT_EQ(Run(absl::StrCat("rm -y ", box_->name())).exit_code, 0);
    EXPECT_THAT(box_->Containers(), IsEmpty());
    EXPECT_THAT(box_->Volumes(), IsEmpty());
  }

  Bed bed_;
  std::optional<DockerMachine> box_;
};

TEST_F(KillsTest, CreateGoesOnWhenItsCommandIsKilled) {
  RunningCommand create = world_.Begin(box_->CreateLine());
  AwaitContainer();
  create.Signal(SIGKILL);
  create.Wait();
  ExpectOneMachineThatCanBeRemoved();
}

TEST_F(KillsTest, CreateGoesOnWhenItsDriverIsKilled) {
  ASSERT_EQ(Run("create -d docker --help").exit_code, 0);  // Starts the driver.
  RunningCommand create = world_.Begin(box_->CreateLine());
  AwaitContainer();
  EXPECT_EQ(world_.SignalAll("machine-driver-docker", SIGKILL), 1u);
  const Outcome created = create.Wait();
  EXPECT_EQ(created.exit_code, 0) << created;
  ExpectOneMachineThatCanBeRemoved();
}

TEST_F(KillsTest, CreateGoesOnWhenEverythingIsKilled) {
  RunningCommand create = world_.Begin(box_->CreateLine());
  AwaitContainer();
  for (const char* const program :
       {"docker-machine", "machine-orchestrator", "machine-driver-docker", "machine-provisioner"}) {
    world_.SignalAll(program, SIGKILL);
  }
  create.Wait();
  EXPECT_THAT(StateOf(box_->name()),
              AnyOf("Creating", "Running"));  // Starts the next orchestrator.
  ExpectOneMachineThatCanBeRemoved();
}

TEST_F(KillsTest, InstallationThatWasCutOffIsCompleted) {
  const BareHost host(bed_, "e2e-kills");
  RunningCommand create =
      world_.Begin(absl::StrCat("create -d generic --generic-ip-address=", host.ip(),
                                " --generic-ssh-user=deb --generic-ssh-key=", bed_.key(), " cut"));
  // dpkg has begun to unpack.
  ASSERT_TRUE(Eventually(kLimit, [&] {
    return host.Sh("ls /var/lib/dpkg/info/containerd.list 2>/dev/null || true") != "";
  }));
  for (const char* const program :
       {"docker-machine", "machine-orchestrator", "machine-provisioner"}) {
    world_.SignalAll(program, SIGKILL);
  }
  create.Wait();
  EXPECT_EQ(StateOf("cut"), "Creating");  // Starts the next orchestrator.
  AwaitRunning("cut");
  EXPECT_EQ(host.Sh("dpkg --audit; pgrep -c dockerd"), "1");
  EXPECT_EQ(Run("rm -y cut").exit_code, 0);
}

// The host is back, and nobody has noted it: the next orchestrator must not send it off again.
TEST_F(KillsTest, RestartThatWasCutOffRebootsTheHostOnce) {
  const BareHost host(bed_, "e2e-kills");
  host.Sh(
      "printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c \"echo boot >>/var/boots\"\\n"
      "[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/boots.service &&"
      "systemctl -q enable boots");
  const Outcome made =
      Run(absl::StrCat("create -d generic --skip-provision --generic-ip-address=", host.ip(),
                       " --generic-ssh-key=", bed_.key(), " again"));
  ASSERT_EQ(made.exit_code, 0) << made;
  ASSERT_TRUE(world_.StopOrchestrator());
  ASSERT_EQ(
      world_.Run("ls", {{"MACHINE_FAILPOINTS", "restart.driver_restart.after_effect"}}).exit_code,
      0);
  const ProcessName first = world_.Orchestrator().value();
  Run("restart again");
  EXPECT_FALSE(common::IsAlive(first.pid, first.start_time)) << "the failpoint was not reached";
  ASSERT_TRUE(
      Eventually(kLimit, [&] { return host.Sh("cat /var/boots 2>/dev/null || true") != ""; }));
  EXPECT_EQ(host.Sh("cat /var/boots"), "boot");
  EXPECT_EQ(Run("rm -y again").exit_code, 0);
}

// ---- The orchestrator, at points where the engine has more than the store knows, or less

class KilledOrchestratorTest : public KillsTest, public testing::WithParamInterface<const char*> {};

TEST_P(KilledOrchestratorTest, CommandFollowsItsCreateToTheNextOrchestrator) {
  // The variable is this one orchestrator's: the one after it is started by a command without.
  ASSERT_EQ(world_.Run("ls", {{"MACHINE_FAILPOINTS", GetParam()}}).exit_code, 0);
  const ProcessName first = world_.Orchestrator().value();
  const Outcome created = Run(box_->CreateLine());
  EXPECT_FALSE(common::IsAlive(first.pid, first.start_time)) << "the failpoint was not reached";
  EXPECT_EQ(created.exit_code, 0) << created;
  EXPECT_THAT(created.out, HasSubstr("Docker is up and running!\n"));
  ExpectOneMachineThatCanBeRemoved();
}

INSTANTIATE_TEST_SUITE_P(Points, KilledOrchestratorTest,
                         testing::Values("create.driver_create.before_effect",
                                         "create.driver_create.after_effect",
                                         "create.provision.after_effect"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return absl::StrReplaceAll(info.param, {{".", "_"}});
                         });

TEST_F(KillsTest, RemovalIsCarriedThroughByTheNextOrchestrator) {
  ASSERT_EQ(Run(box_->CreateLine()).exit_code, 0);
  ASSERT_TRUE(world_.StopOrchestrator());
  ASSERT_EQ(
      world_.Run("ls", {{"MACHINE_FAILPOINTS", "delete.driver_remove.after_effect"}}).exit_code, 0);
  const ProcessName first = world_.Orchestrator().value();
  const Outcome removed = Run(absl::StrCat("rm -y ", box_->name()));
  EXPECT_FALSE(common::IsAlive(first.pid, first.start_time)) << "the failpoint was not reached";
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_THAT(box_->Containers(), IsEmpty());
  EXPECT_THAT(box_->Volumes(), IsEmpty());
}

// ---- Provision, upgrade and regenerate-certs, at each point of orchestrator and provisioner
//
// Their steps ask the provisioner only (services/orchestrator/engine/verbs), so a driver has no
// point there to die at. One that dies meanwhile must make no difference.

TEST_F(KillsTest, WhatIsDoneOnTheHostIsCarriedThroughWhereverItIsKilled) {
  struct Verb {
    const char* command;
    const char* name;
    const char* method;
  };
  ASSERT_EQ(Run(box_->CreateLine()).exit_code, 0);
  const std::string armed = world_.Path("armed");
  for (const Verb& verb :
       {Verb{"provision ", "provision", "Provision"}, Verb{"upgrade ", "upgrade", "Upgrade"},
        Verb{"regenerate-certs -f ", "regenerate-certs", "ConfigureTls"}}) {
    RunningCommand beside_a_dead_driver = world_.Begin(absl::StrCat(verb.command, box_->name()));
    world_.SignalAll("machine-driver-docker", SIGKILL);
    const Outcome without_driver = beside_a_dead_driver.Wait();
    EXPECT_EQ(without_driver.exit_code, 0) << without_driver;
    for (const bool provisioner : {false, true}) {
      for (const char* const at : {"before_effect", "after_effect", "after_commit"}) {
        ASSERT_TRUE(world_.StopOrchestrator());
        // Removed by the process that dies of it.
        ASSERT_TRUE(common::WriteFileAtomically(armed, "", 0600).ok());
        const std::string point =
            provisioner ? absl::StrCat("provisioner.", verb.method, ".", at, "@", armed)
                        : absl::StrCat(verb.name, ".provision.", at, "@", armed);
        SCOPED_TRACE(point);
        ASSERT_EQ(world_.Run("ls", {{"MACHINE_FAILPOINTS", point}}).exit_code, 0);
        const Outcome outcome = Run(absl::StrCat(verb.command, box_->name()));
        EXPECT_EQ(outcome.exit_code, 0) << outcome;
        EXPECT_TRUE(Eventually(kLimit, [&] { return !std::filesystem::exists(armed); }))
            << "the failpoint was not reached";
        AwaitRunning(box_->name());
      }
    }
  }
  ExpectOneMachineThatCanBeRemoved();
}

}  // namespace
}  // namespace machine::tests
