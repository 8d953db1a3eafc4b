// Commands on a real OpenSSH server.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "services/common/process/run.h"
#include "services/common/rpc/channel.h"
#include "services/common/ssh/channel.h"
#include "services/common/ssh/ssh.h"
#include "services/common/ssh/sshd_for_test.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

constexpr absl::Duration kLong = absl::Seconds(60);

CallLimits Within(absl::Duration duration) { return {.deadline = absl::Now() + duration}; }

class SshRunTest : public testing::Test {
 protected:
  void Connect(const std::vector<std::string>& config = {}) {
    auto sshd = SshdForTest::Start(config);
    ASSERT_TRUE(sshd.ok()) << sshd.status();
    sshd_ = *std::move(sshd);
    auto connection = loop_.Connect(sshd_->target(), Within(kLong));
    ASSERT_TRUE(connection.ok()) << connection.status() << sshd_->log();
    ssh_ = *std::move(connection);
  }

  CommandResult MustRun(absl::string_view command, CommandOptions options = {}) {
    options.limits = Within(kLong);
    const auto result = ssh_->Run(command, std::move(options));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : CommandResult{.exit_code = -1};
  }

  SshLoop loop_;
  std::unique_ptr<SshdForTest> sshd_;
  std::shared_ptr<SshConnection> ssh_;
};

TEST_F(SshRunTest, ReportsHowTheCommandEnded) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  EXPECT_TRUE(MustRun("true").ok());
  EXPECT_EQ(MustRun("exit 3").exit_code, 3);
  const CommandResult killed = MustRun("kill -TERM $$");
  EXPECT_EQ(killed.signal, "TERM");
  EXPECT_EQ(killed.exit_code, 143);
  EXPECT_FALSE(killed.ok());
  EXPECT_EQ(ssh_->commands_run(), 3);
  EXPECT_EQ(loop_.connections_opened(), 1);
}

// Programs link these layers together, so their types must not share names: here that would not
// compile.
static_assert(!std::is_same_v<RunOptions, CommandOptions>);
static_assert(!std::is_same_v<RunResult, CommandResult>);
static_assert(!std::is_same_v<Channel, SshChannel>);

TEST_F(SshRunTest, ACommandThereEndsAsAProgramHereDoes) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  constexpr char kCommand[] = "cat; echo problem >&2; exit 3";
  const auto here = RunProgram({"sh", "-c", kCommand}, RunOptions{.stdin_data = "text"});
  ASSERT_TRUE(here.ok()) << here.status();
  const CommandResult there = MustRun(kCommand, {.stdin_data = "text"});
  EXPECT_EQ(there.exit_code, here->exit_code);
  EXPECT_EQ(there.stdout_data, here->stdout_data);
  EXPECT_EQ(there.stderr_data, here->stderr_data);
}

TEST_F(SshRunTest, TheUsersOwnShellFilesAreNotReadInTests) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  EXPECT_EQ(MustRun("echo $HOME").stdout_data, absl::StrCat(sshd_->dir(), "\n"));
}

TEST_F(SshRunTest, KeepsStandardOutputAndErrorApart) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const CommandResult result = MustRun("echo out; echo err >&2");
  EXPECT_EQ(result.stdout_data, "out\n");
  EXPECT_EQ(result.stderr_data, "err\n");
}

TEST_F(SshRunTest, SendsAMebibyteOfInputUnchanged) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  std::string data(1 << 20, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31 + i / 251);
  const std::string path = sshd_->dir() + "/data";
  std::ofstream(path, std::ios::binary) << data;
  const auto expected = RunForTest({"sha256sum", path});
  ASSERT_TRUE(expected.ok()) << expected.status();
  const CommandResult sum = MustRun("sha256sum", {.stdin_data = data});
  EXPECT_EQ(sum.stdout_data.substr(0, 64), expected->substr(0, 64));
}

TEST_F(SshRunTest, ReceivesManyMebibytesUnchanged) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const CommandResult result = MustRun("yes 0123456789abcde | head -c 8388608");
  ASSERT_EQ(result.stdout_data.size(), 8u << 20);
  for (size_t i = 0; i < result.stdout_data.size(); i += 16) {
    ASSERT_EQ(result.stdout_data.compare(i, 16, "0123456789abcde\n"), 0) << i;
  }
}

TEST_F(SshRunTest, ExportsTheEnvironmentWithoutTheServersLeave) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const CommandResult result =
      MustRun("printf %s \"$GREETING\"", {.env = {{"GREETING", "it's a 'test' $HOME"}}});
  EXPECT_EQ(result.stdout_data, "it's a 'test' $HOME");
}

TEST_F(SshRunTest, DropsOutputBeyondTheLimitAndSaysSo) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const CommandResult result = MustRun("echo 0123456789", {.max_output_bytes = 4});
  EXPECT_EQ(result.stdout_data, "0123");
  EXPECT_TRUE(result.truncated);
  EXPECT_FALSE(MustRun("printf 0123", {.max_output_bytes = 4}).truncated);
}

TEST_F(SshRunTest, HandsOutLinesWhileTheCommandRuns) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const std::string fifo = sshd_->dir() + "/fifo";
  std::vector<std::string> lines;
  CommandOptions options;
  options.on_stdout_line = [&](absl::string_view line) {
    lines.emplace_back(line);
    // The command ends only after its first line has arrived here.
    if (lines.size() == 1) MustRun(absl::StrCat("echo go >", fifo));
  };
  MustRun(absl::StrCat("mkfifo ", fifo, "; echo first; cat ", fifo, "; printf last"),
          std::move(options));
  EXPECT_EQ(lines, (std::vector<std::string>{"first", "go", "last"}));
}

TEST_F(SshRunTest, ASlowLineCallbackSeesEveryLine) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  size_t count = 0;
  CommandOptions options;
  options.max_output_bytes = 0;
  options.on_stdout_line = [&](absl::string_view line) {
    ASSERT_EQ(line, absl::StrCat(++count));
    if (count % 100'000 == 0) MustRun("true");
  };
  MustRun("seq 1000000", std::move(options));
  EXPECT_EQ(count, 1'000'000u);
}

// More than sshd's MaxSessions: the rest waits for its turn.
void RunTwentyAtOnce(SshConnection& ssh) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 20; ++i) {
    threads.emplace_back([&ssh, &right, i] {
      const auto result = ssh.Run(absl::StrCat("cat; exit ", i),
                                  {.stdin_data = std::string(100'000, static_cast<char>('a' + i)),
                                   .limits = Within(kLong)});
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->exit_code, i);
      if (result->stdout_data == std::string(100'000, static_cast<char>('a' + i))) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

TEST_F(SshRunTest, TwentyCommandsAtOnceShareOneConnection) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  RunTwentyAtOnce(*ssh_);
  EXPECT_EQ(loop_.connections_opened(), 1);
}

TEST_F(SshRunTest, AServerThatAllowsThreeSessionsIsNotOverrun) {
  ASSERT_NO_FATAL_FAILURE(Connect({"MaxSessions 3"}));
  RunTwentyAtOnce(*ssh_);
}

// Each command is asked for together with the end of the one before it.
TEST_F(SshRunTest, AServerThatAllowsOneSessionRunsOneCommandAfterTheOther) {
  ASSERT_NO_FATAL_FAILURE(Connect({"MaxSessions 1"}));
  RunTwentyAtOnce(*ssh_);
  EXPECT_EQ(loop_.connections_opened(), 1);
}

TEST_F(SshRunTest, TheDeadlineTakesAwayTheCommandsInputAndOutput) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const std::string fifo = sshd_->dir() + "/fifo";
  MustRun(absl::StrCat("mkfifo ", fifo));
  const auto result =
      ssh_->Run(absl::StrCat("trap '' PIPE TERM; while echo x; do :; done; echo ended >", fifo),
                {.limits = Within(absl::Milliseconds(500)), .max_output_bytes = 0});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded) << result.status();
  EXPECT_EQ(ReasonOf(result.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_EQ(MustRun(absl::StrCat("cat ", fifo)).stdout_data, "ended\n");
}

TEST_F(SshRunTest, ACancelledCommandReturnsAtOnceAndTheConnectionGoesOn) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  std::atomic<bool> cancelled = false;
  CommandOptions options;
  options.limits.cancelled = [&] { return cancelled.load(); };
  options.on_stdout_line = [&](absl::string_view) { cancelled = true; };
  const auto result = ssh_->Run("echo started; exec sleep 1000", std::move(options));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled) << result.status();
  EXPECT_EQ(MustRun("echo still here").stdout_data, "still here\n");
}

TEST_F(SshRunTest, AServerKilledInMidCommandIsUnavailable) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  CommandOptions options{.limits = Within(kLong)};
  options.on_stdout_line = [&](absl::string_view) { sshd_->Kill(); };
  const auto result = ssh_->Run("echo started; exec sleep 1000", std::move(options));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
  EXPECT_EQ(ReasonOf(result.status()), machine::v1::ERROR_REASON_SSH_UNREACHABLE);
  EXPECT_TRUE(absl::StrContains(result.status().message(), absl::StrCat(sshd_->port())))
      << result.status();
  EXPECT_FALSE(ssh_->alive());
  EXPECT_EQ(ssh_->Run("true").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(loop_.connections_open(), 0);
}

TEST(SshKeepAliveTest, AFrozenServerIsFoundOutAndALivingIdleOneIsKept) {
  auto sshd = SshdForTest::Start();
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  SshLoop loop({.keepalive_interval = absl::Milliseconds(50), .dead_after = absl::Seconds(2)});
  auto ssh = loop.Connect((*sshd)->target(), Within(kLong));
  ASSERT_TRUE(ssh.ok()) << ssh.status();
  // Silent for longer than dead_after; only the answers to keep-alives hold the connection.
  const auto idle = (*ssh)->Run("sleep 4; echo alive", {.limits = Within(kLong)});
  ASSERT_TRUE(idle.ok()) << idle.status();
  EXPECT_EQ(idle->stdout_data, "alive\n");
  CommandOptions options{.limits = Within(kLong)};
  options.on_stdout_line = [&](absl::string_view) { (*sshd)->Freeze(true); };
  const auto result = (*ssh)->Run("echo started; exec sleep 1000", std::move(options));
  (*sshd)->Freeze(false);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
  EXPECT_TRUE(absl::StrContains(result.status().message(), "no answer for 2.0 s"))
      << result.status();
}

TEST_F(SshRunTest, TheEndOfTheLoopEndsWhatRuns) {
  auto sshd = SshdForTest::Start();
  ASSERT_TRUE(sshd.ok()) << sshd.status();
  auto loop = std::make_unique<SshLoop>();
  auto ssh = loop->Connect((*sshd)->target(), Within(kLong));
  ASSERT_TRUE(ssh.ok()) << ssh.status();
  absl::Notification started;
  std::thread caller([&] {
    CommandOptions options;
    options.on_stdout_line = [&](absl::string_view) { started.Notify(); };
    const auto result = (*ssh)->Run("echo started; exec sleep 1000", std::move(options));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
  });
  started.WaitForNotification();
  loop.reset();
  caller.join();
  EXPECT_EQ((*ssh)->Run("true").status().code(), absl::StatusCode::kUnavailable);
}

TEST(ShellQuoteTest, MakesOneWordOfAnything) {
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuote(""), "''");
}

}  // namespace
}  // namespace machine::common
