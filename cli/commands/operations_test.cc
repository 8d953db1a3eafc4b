// start, stop, kill, restart, provision, upgrade, regenerate-certs and rm; Ctrl-C and broken
// streams.
#include <signal.h>

#include <thread>

#include "absl/strings/match.h"
#include "cli/commands/program_fixture.h"
#include "services/common/status/status.h"

namespace machine::cli {
namespace {

using fakes::LogEvent;
using fakes::OperationScript;
using fakes::StepEvent;
using machine::v1::LogLine;
using Strings = std::vector<std::string>;

class OperationsTest : public ProgramTest {};

TEST_F(OperationsTest, StartSaysWhatTheOriginalSays) {
  Put("dev");
  orchestrator_.Script(
      "dev", {.events = {StepEvent(1, 2, ""), LogEvent(LogLine::INFO, "driver", "Check network..."),
                         StepEvent(2, 2, "Waiting for SSH to be available...")}});
  EXPECT_EQ(Run("start dev"), 0);
  EXPECT_EQ(out(),
            "Starting \"dev\"...\n(dev) Check network...\nWaiting for SSH to be available...\n"
            "Machine \"dev\" was started.\n"
            "Started machines may have new IP addresses. You may need to re-run the "
            "`docker-machine env` command.\n");
  EXPECT_EQ(err(), "");
}

TEST_F(OperationsTest, MachineAlreadyInThatState) {
  Put("up", "192.0.2.1");
  Put("off");
  EXPECT_EQ(Run("start up"), 1);
  EXPECT_EQ(out(), "Starting \"up\"...\n");
  EXPECT_EQ(err(), "Machine \"up\" is already running.\n");
  EXPECT_EQ(Run("stop off"), 1);
  EXPECT_EQ(err(), "Machine \"off\" is already stopped.\n");
  EXPECT_EQ(Run("kill off"), 1);
  EXPECT_EQ(err(), "Machine \"off\" is already stopped.\n");
  EXPECT_EQ(orchestrator_.operations(), Strings{});
}

TEST_F(OperationsTest, StopKillAndRestart) {
  Put("a", "192.0.2.1");
  Put("b", "192.0.2.2");
  Put("c", "192.0.2.3");
  EXPECT_EQ(Run("stop a"), 0);
  EXPECT_EQ(out(), "Stopping \"a\"...\nMachine \"a\" was stopped.\n");
  EXPECT_EQ(Run("kill b"), 0);
  EXPECT_EQ(out(), "Killing \"b\"...\nMachine \"b\" was killed.\n");
  EXPECT_EQ(Run("restart c"), 0);
  EXPECT_EQ(out(),
            "Restarting \"c\"...\nRestarted machines may have new IP addresses. You may need to "
            "re-run the `docker-machine env` command.\n");
}

TEST_F(OperationsTest, SeveralMachinesAnswerInOrderWithAllErrors) {
  Put("a", "192.0.2.1");
  Put("b", "192.0.2.2");
  Put("c", "192.0.2.3");
  orchestrator_.Script("a", {.result = absl::UnavailableError("a is busy")});
  orchestrator_.Script("c", {.result = absl::InternalError("c is odd")});
  EXPECT_EQ(Run("stop a b c a"), 1);
  EXPECT_EQ(
      out(),
      "Stopping \"a\"...\nStopping \"b\"...\nMachine \"b\" was stopped.\nStopping \"c\"...\n");
  EXPECT_EQ(err(), "a is busy\nc is odd\n");
  EXPECT_EQ(orchestrator_.operations().size(), 3U) << "a name given twice counts once";
}

TEST_F(OperationsTest, NothingIsDoneWhenOneMachineDoesNotExist) {
  Put("a", "192.0.2.1");
  EXPECT_EQ(Run("stop a nope"), 1);
  EXPECT_EQ(err(), kNopeDoesNotExist);
  EXPECT_EQ(out(), "");
  EXPECT_EQ(orchestrator_.operations(), Strings{});
}

TEST_F(OperationsTest, LinesGoWhereTheirSeveritySays) {
  Put("dev", "192.0.2.1");
  const OperationScript script = {.events = {LogEvent(LogLine::DEBUG, "provisioner", "debug"),
                                             LogEvent(LogLine::INFO, "", "info"),
                                             LogEvent(LogLine::WARNING, "driver", "warning"),
                                             LogEvent(LogLine::ERROR, "driver", "error")}};
  orchestrator_.Script("dev", script);
  EXPECT_EQ(Run("provision dev"), 0);
  EXPECT_EQ(out(), "info\n(dev) warning\n");
  EXPECT_EQ(err(), "(dev) error\n");
  orchestrator_.Script("dev", script);
  EXPECT_EQ(Run("--debug provision dev"), 0);
  EXPECT_EQ(err(), "debug\n(dev) error\n");
}

TEST_F(OperationsTest, StepThatIsRetriedIsSaidOnce) {
  Put("dev", "192.0.2.1");
  orchestrator_.Script("dev", {.events = {StepEvent(1, 2, "Installing Docker..."),
                                          StepEvent(1, 2, "Installing Docker..."),
                                          StepEvent(2, 2, "Docker is up and running!")}});
  EXPECT_EQ(Run("provision dev"), 0);
  EXPECT_EQ(out(), "Installing Docker...\nDocker is up and running!\n");
}

TEST_F(OperationsTest, UpgradeStartsAMachineThatIsOff) {
  Put("off");
  EXPECT_EQ(Run("upgrade off"), 0);
  EXPECT_EQ(out(),
            "Starting machine so machine can be upgraded...\nStarting \"off\"...\n"
            "Machine \"off\" was started.\n");
  EXPECT_EQ(orchestrator_.operations(), (Strings{"start off", "upgrade off"}));
}

TEST_F(OperationsTest, RegenerateCertsAsksFirst) {
  Put("dev", "192.0.2.1");
  console_.set_input("n\n");
  EXPECT_EQ(Run("regenerate-certs dev"), 0);
  EXPECT_EQ(out(), "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): ");
  EXPECT_EQ(orchestrator_.operations(), Strings{});
  console_.set_input("yes\n");
  EXPECT_EQ(Run("regenerate-certs dev"), 0);
  EXPECT_TRUE(absl::EndsWith(out(), "(y/n): Regenerating TLS certificates\n")) << out();
  orchestrator_.Script("dev", {.events = {StepEvent(1, 1, "Regenerating TLS certificates")}});
  EXPECT_EQ(Run("regenerate-certs -f --client-certs dev"), 0);
  EXPECT_EQ(out(), "Regenerating TLS certificates\n");
}

// ---- rm

constexpr char kAboutToRemove[] =
    "About to remove a, b\n"
    "WARNING: This action will delete both local reference and remote instance.\n";

TEST_F(OperationsTest, RmWithY) {
  Put("a", "192.0.2.1");
  Put("b");
  EXPECT_EQ(Run("rm -y a b"), 0);
  EXPECT_EQ(out(),
            absl::StrCat(kAboutToRemove, "Successfully removed a\nSuccessfully removed b\n"));
  EXPECT_FALSE(orchestrator_.HasMachine("a"));
  EXPECT_FALSE(orchestrator_.HasMachine("b"));
}

struct AnswerCase {
  absl::string_view label;
  std::string input;
  bool removes;
};
class RmAnswerTest : public OperationsTest, public testing::WithParamInterface<AnswerCase> {};
TEST_P(RmAnswerTest, DecidesAndSucceeds) {
  Put("a");
  console_.set_input(GetParam().input);
  EXPECT_EQ(Run("rm a"), 0);
  EXPECT_TRUE(absl::StrContains(out(), "Are you sure? (y/n): ")) << out();
  EXPECT_EQ(orchestrator_.HasMachine("a"), !GetParam().removes);
}
INSTANTIATE_TEST_SUITE_P(Answers, RmAnswerTest,
                         testing::ValuesIn<AnswerCase>({
                             {"Yes", "y\n", true},
                             {"YesInWords", "Yes please\n", true},
                             {"No", "n\n", false},
                             {"EmptyLine", "\n", false},
                             {"EndOfInput", "", false},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST_F(OperationsTest, RmOfSomeThatFail) {
  Put("a");
  Put("b");
  orchestrator_.Script("a", {.result = absl::UnavailableError("the provider is down")});
  EXPECT_EQ(Run("rm -y a nope b"), 1);
  EXPECT_TRUE(absl::EndsWith(out(), "Successfully removed b\n")) << out();
  EXPECT_EQ(err(), absl::StrCat("Error removing host \"a\": the provider is down\n"
                                "Error removing host \"nope\": ",
                                kNopeDoesNotExist));
}

TEST_F(OperationsTest, RmForcedForgivesWhatIsNotThere) {
  Put("a");
  EXPECT_EQ(Run("rm -f nope a"), 0);
  EXPECT_FALSE(orchestrator_.HasMachine("a"));
  EXPECT_EQ(err(), absl::StrCat("Error removing host \"nope\": ", kNopeDoesNotExist));
}

TEST_F(OperationsTest, RmOfNothing) {
  EXPECT_EQ(Run("rm"), 1);
  EXPECT_TRUE(absl::StartsWith(out(), "Usage: docker-machine rm "));
  EXPECT_EQ(err(), "Error: Expected to get one or more machine names as arguments\n");
}

// ---- Following

TEST_F(OperationsTest, StreamThatBreaksOffIsTakenUpWhereItWas) {
  Put("dev", "192.0.2.1");
  orchestrator_.Script(
      "dev", {.events = {LogEvent(LogLine::INFO, "", "one"), LogEvent(LogLine::INFO, "", "two"),
                         LogEvent(LogLine::INFO, "", "three")},
              .break_after = 2});
  EXPECT_EQ(Run("provision dev"), 0);
  EXPECT_EQ(out(), "one\ntwo\nthree\n");
  EXPECT_EQ(orchestrator_.watches(), 2);
}

TEST_F(OperationsTest, StreamThatAnEndingServerCancelsIsTakenUp) {
  Put("dev", "192.0.2.1");
  orchestrator_.Script(
      "dev", {.events = {LogEvent(LogLine::INFO, "", "one"), LogEvent(LogLine::INFO, "", "two")},
              .break_after = 1,
              .break_code = grpc::StatusCode::CANCELLED});
  EXPECT_EQ(Run("provision dev"), 0);
  EXPECT_EQ(out(), "one\ntwo\n");
  EXPECT_EQ(orchestrator_.watches(), 2);
}

TEST_F(OperationsTest, OperationOfTheSameKindIsFollowed) {
  Put("dev");
  orchestrator_.BeginElsewhere("dev", "start",
                               {.events = {LogEvent(LogLine::INFO, "", "from elsewhere")}});
  EXPECT_EQ(Run("start dev"), 0) << err();
  EXPECT_TRUE(absl::StrContains(out(), "from elsewhere\n")) << out();
}

TEST_F(OperationsTest, CreateThatGoesOnIsFollowedByProvision) {
  Put("dev");
  orchestrator_.BeginElsewhere("dev", "create",
                               {.events = {LogEvent(LogLine::INFO, "", "still creating")}});
  EXPECT_EQ(Run("provision dev"), 0) << err();
  EXPECT_EQ(out(), "still creating\n");
}

TEST_F(OperationsTest, OperationOfAnotherKindIsInTheWay) {
  Put("dev", "192.0.2.1");
  orchestrator_.BeginElsewhere("dev", "upgrade", {});
  EXPECT_EQ(Run("stop dev"), 1);
  EXPECT_EQ(err(), "another operation is under way: upgrade\n");
}

TEST_F(OperationsTest, FirstInterruptCancels) {
  Put("dev", "192.0.2.1");
  orchestrator_.Script("dev", {.events = {LogEvent(LogLine::INFO, "", "begun")},
                               .hold = std::make_shared<absl::Notification>()});
  int exit = -1;
  std::thread command([&] { exit = Run("provision dev"); });
  console_.AwaitOut("begun\n");
  interrupts_.Give();
  command.join();
  EXPECT_EQ(exit, 1);
  EXPECT_EQ(orchestrator_.cancels(), 1);
  EXPECT_EQ(err(),
            "Cancelling the provision of \"dev\"... (Ctrl-C again leaves it running)\ncancelled\n");
}

TEST_F(OperationsTest, SecondInterruptLeavesItRunningAndSaysHowToComeBack) {
  Put("dev", "192.0.2.1");
  const auto hold = std::make_shared<absl::Notification>();
  orchestrator_.Script("dev", {.events = {LogEvent(LogLine::INFO, "", "begun")}, .hold = hold});
  orchestrator_.set_ignore_cancel(true);
  int exit = -1;
  std::thread command([&] { exit = Run("provision dev"); });
  console_.AwaitOut("begun\n");
  interrupts_.Give();
  interrupts_.Give();
  command.join();
  EXPECT_EQ(exit, 1);
  EXPECT_TRUE(absl::EndsWith(err(),
                             "The provision of \"dev\" goes on without this command. To follow it: "
                             "docker-machine provision dev\n"))
      << err();
  hold->Notify();
  EXPECT_EQ(Run("provision dev"), 0) << "comes back to it";
}

// The real thing: a signal to the process.
TEST(SignalInterruptsTest, CountsSignalsUntilItIsStopped) {
  SignalInterrupts interrupts;
  absl::Notification first, second;
  interrupts.Start([&](int count) { (count == 1 ? first : second).Notify(); });
  raise(SIGINT);
  first.WaitForNotification();
  raise(SIGINT);
  second.WaitForNotification();
  interrupts.Stop();
  EXPECT_EQ(signal(SIGINT, SIG_DFL), SIG_DFL);
}

}  // namespace
}  // namespace machine::cli
