// kill -9 of each program in the middle of its work: the operation goes on or says what to do, and
// nothing claims to be Running that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/process_id.h"
#include "tests/integration/listener.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLimit = absl::Minutes(2);

// ---- The orchestrator dies at each point of an operation

struct Point {
  const char* label;
  const char* name;
  const char* command;
};
void PrintTo(const Point& point, std::ostream* stream) { *stream << point.name; }

class FailpointTest : public WorldTest, public testing::WithParamInterface<Point> {};

TEST_P(FailpointTest, CommandIsCarriedThroughByTheNextOrchestrator) {
  const std::string create = "create -d none --url=tcp://127.0.0.1:1 dev";
  const std::string command = GetParam().command;
  if (command != "create") {
    ASSERT_EQ(Run(create).exit_code, 0);
    ASSERT_TRUE(world_.StopOrchestrator());
  }
  // The variable is this one orchestrator's: the one after it is started by a command without.
  ASSERT_EQ(world_.Run("ls", {{"MACHINE_FAILPOINTS", GetParam().name}}).exit_code, 0);
  const ProcessName first = world_.Orchestrator().value();

  const Outcome outcome = Run(command == "create" ? create : command);
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
  EXPECT_FALSE(common::IsAlive(first.pid, first.start_time)) << "the failpoint was not reached";
  EXPECT_EQ(world_.Processes("machine-orchestrator").size(), 1u);
  if (command == "create") {
    EXPECT_EQ(Run("ls -q").out, "dev\n");
    EXPECT_EQ(Run("status dev").out, "Stopped\n");  // Nobody listens at its address.
    EXPECT_TRUE(std::filesystem::exists(world_.machine_folder("dev") + "/config.json"));
  } else {
    EXPECT_EQ(Run("ls -q").out, "");
    EXPECT_FALSE(std::filesystem::exists(world_.machine_folder("dev")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Points, FailpointTest,
    testing::ValuesIn<Point>({
        {"BeforeTheCheck", "create.precreate_check.before_effect", "create"},
        {"AfterTheCheck", "create.precreate_check.after_effect", "create"},
        {"AfterTheBeginning", "create.begin.after_effect", "create"},
        {"BeforeTheDriverCreates", "create.driver_create.before_effect", "create"},
        {"AfterTheDriverCreated", "create.driver_create.after_effect", "create"},
        {"AfterThatIsCommitted", "create.driver_create.after_commit", "create"},
        {"BeforeTheDriverRemoves", "delete.driver_remove.before_effect", "rm -y dev"},
        {"AfterTheDriverRemoved", "delete.driver_remove.after_effect", "rm -y dev"},
    }),
    [](const testing::TestParamInfo<Point>& info) { return std::string(info.param.label); });

// ---- A create that takes a while: its host accepts connections and never says a word

class CrashTest : public WorldTest {
 protected:
  RunningCommand BeginCreate(absl::string_view ssh_timeout, absl::string_view more = "") {
    return world_.Begin(
        absl::StrCat("create -d generic --generic-ip-address=127.0.0.1 "
                     "--generic-ssh-port=",
                     host_.port(), " --ssh-timeout=", ssh_timeout, " ", more, " slow"));
  }

  std::string StateOf(absl::string_view name) {
    return Run(absl::StrCat("ls --filter name=^", name, "$ -f {{.State}}")).out;
  }

  // Until then the create may not even have begun.
  void AwaitProvisioner() {
    ASSERT_TRUE(Eventually(kLimit, [&] {
      return StateOf("slow") == "Creating\n" && !world_.Processes("machine-provisioner").empty();
    }));
  }

  void ExpectErrorAndRemovable() {
    EXPECT_TRUE(Eventually(kLimit, [&] { return StateOf("slow") != "Creating\n"; }));
    EXPECT_EQ(StateOf("slow"), "Error\n");
    EXPECT_EQ(Run("status slow").out, "Error\n");
    EXPECT_THAT(Run("ls --filter name=slow -f {{.Error}}").out, HasSubstr("127.0.0.1"));
    const Outcome removed = Run("rm -y slow");
    EXPECT_EQ(removed.exit_code, 0) << removed;
    EXPECT_EQ(Run("ls -q").out, "");
  }

  Listener host_;
};

TEST_F(CrashTest, CreateGoesOnWhenItsCommandIsKilled) {
  RunningCommand create = BeginCreate("6s");
  AwaitProvisioner();
  create.Signal(SIGKILL);
  create.Wait();
  EXPECT_EQ(StateOf("slow"), "Creating\n");
  // `provision` follows the create that is under way, and ends as it does.
  const Outcome followed = Run("provision slow");
  EXPECT_EQ(followed.exit_code, 1);
  EXPECT_THAT(followed.err, HasSubstr(absl::StrCat("127.0.0.1:", host_.port())));
  ExpectErrorAndRemovable();
}

TEST_F(CrashTest, CommandFollowsItsCreateToTheNextOrchestrator) {
  RunningCommand create = BeginCreate("6s");
  AwaitProvisioner();
  EXPECT_EQ(world_.SignalAll("machine-orchestrator", SIGKILL), 1u);
  const Outcome outcome = create.Wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat("127.0.0.1:", host_.port())));
  ExpectErrorAndRemovable();
}

TEST_F(CrashTest, CreateGoesOnAfterEverythingWasKilled) {
  RunningCommand create = BeginCreate("6s");
  AwaitProvisioner();
  for (const char* const program : {"docker-machine", "machine-orchestrator",
                                    "machine-driver-generic", "machine-provisioner"}) {
    world_.SignalAll(program, SIGKILL);
  }
  ASSERT_TRUE(Eventually(kLimit, [&] { return world_.Processes().empty(); }));
  EXPECT_EQ(StateOf("slow"), "Creating\n");  // This command starts the next orchestrator.
  ExpectErrorAndRemovable();
}

TEST_F(CrashTest, ChildrenEndWithAnOrchestratorThatIsKilled) {
  RunningCommand create = BeginCreate("60s");
  AwaitProvisioner();
  create.Signal(SIGKILL);
  create.Wait();
  world_.SignalAll("machine-orchestrator", SIGKILL);
  EXPECT_TRUE(Eventually(kLimit, [&] { return world_.Processes().empty(); }));
}

TEST_F(CrashTest, ProvisionerThatIsKilledIsStartedAgain) {
  RunningCommand create = BeginCreate("6s");
  AwaitProvisioner();
  const pid_t first = world_.Processes("machine-provisioner").at(0).pid;
  world_.SignalAll("machine-provisioner", SIGKILL);
  EXPECT_TRUE(Eventually(kLimit, [&] {
    const auto running = world_.Processes("machine-provisioner");
    return !running.empty() && running[0].pid != first;
  }));
  const Outcome outcome = create.Wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat("127.0.0.1:", host_.port())));
  ExpectErrorAndRemovable();
}

TEST_F(CrashTest, DriverThatIsKilledInMidCallIsStartedAgain) {
  ASSERT_EQ(Run("create -d none --url=tcp://127.0.0.1:1 first").exit_code, 0);
  // A driver that has stopped answers nothing, so the command waits in a call of it.
  ASSERT_EQ(world_.SignalAll("machine-driver-none", SIGSTOP), 1u);
  RunningCommand create = world_.Begin("create -d none --url=tcp://127.0.0.1:1 second");
  ASSERT_TRUE(Eventually(kLimit, [&] { return world_.Processes("docker-machine").size() == 1; }));
  world_.SignalAll("machine-driver-none", SIGKILL);
  const Outcome outcome = create.Wait();
  // Before there is an operation the command may fail, and says why; after that it goes on.
  if (outcome.exit_code != 0) {
    EXPECT_THAT(outcome.err, HasSubstr("the driver none went away"));
    EXPECT_EQ(Run("ls -q").out, "first\n");
    const Outcome again = Run("create -d none --url=tcp://127.0.0.1:1 second");
    EXPECT_EQ(again.exit_code, 0) << again;
  }
  EXPECT_EQ(Run("ls -q").out, "first\nsecond\n");
}

TEST_F(CrashTest, DriverThatEndsAtOnceIsNotStartedForEver) {
  const std::string program = world_.libexec() + "/machine-driver-broken";
  ASSERT_TRUE(
      common::WriteFileAtomically(program, "#!/bin/sh\necho out of luck >&2\nexit 3\n", 0755).ok());
  const Outcome outcome = Run("create -d broken x");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("out of luck"));
  EXPECT_EQ(Run("ls -q").out, "");
}

// ---- Ctrl-C

TEST_F(CrashTest, OneInterruptCancelsAndRemovesWhatWasMade) {
  RunningCommand create = BeginCreate("60s");
  AwaitProvisioner();
  create.Signal(SIGINT);
  const Outcome outcome = create.Wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("Cancelling the create of \"slow\"... (Ctrl-C again leaves it "
                                     "running)\n"));
  EXPECT_THAT(outcome.err, HasSubstr("Creation was cancelled; what had been made is removed\n"));
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_FALSE(std::filesystem::exists(world_.machine_folder("slow")));
}

TEST_F(CrashTest, CancelledCreateIsKeptWhereThatWasAskedFor) {
  RunningCommand create = BeginCreate("60s", "--on-failure=keep");
  AwaitProvisioner();
  create.Signal(SIGINT);
  EXPECT_EQ(create.Wait().exit_code, 1);
  EXPECT_EQ(StateOf("slow"), "Error\n");
  EXPECT_EQ(Run("rm -y slow").exit_code, 0);
}

TEST_F(CrashTest, FailedCreateIsUndoneWhereThatWasAskedFor) {
  const Outcome outcome = BeginCreate("2s", "--on-failure=rollback").Wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat("127.0.0.1:", host_.port())));
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(CrashTest, RemoveByForceEndsACreateThatIsUnderWay) {
  RunningCommand create = BeginCreate("60s");
  AwaitProvisioner();
  const Outcome refused = Run("rm -y slow");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(StateOf("slow"), "Creating\n");
  const Outcome removed = Run("rm -f slow");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_EQ(create.Wait().exit_code, 1);
  EXPECT_EQ(Run("ls -q").out, "");
}

// ---- Idleness

TEST_F(CrashTest, OrchestratorEndsWhenNobodyNeedsIt) {
  RunningCommand orchestrator = world_.BeginOrchestrator("--idle-exit=300ms");
  const Outcome ended = orchestrator.Wait();
  EXPECT_EQ(ended.exit_code, 0) << ended;
  EXPECT_FALSE(std::filesystem::exists(world_.server_dir() + "/server.json"));
  // The next command starts another one.
  EXPECT_EQ(Run("ls").exit_code, 0);
}

TEST_F(CrashTest, OrchestratorWithWorkIsNotIdle) {
  // Time enough for the command to come, and less than the create takes.
  RunningCommand orchestrator = world_.StartOrchestrator("--idle-exit=3s");
  RunningCommand create = BeginCreate("4s");
  AwaitProvisioner();
  create.Signal(SIGKILL);
  create.Wait();
  EXPECT_EQ(orchestrator.Wait().exit_code, 0);
  // It had the create to its end before it went.
  EXPECT_EQ(StateOf("slow"), "Error\n");
}

}  // namespace
}  // namespace machine::tests
