#include "services/common/process/run.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

// glibc 2.36 declares these without the language linkage that C++ needs.
extern "C" {
#include <sys/pidfd.h>
}

#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/common/process/unique_fd.h"

namespace machine::common {
namespace {

std::vector<std::string> Shell(absl::string_view script) {
  return {"sh", "-c", std::string(script)};
}

TEST(RunTest, CapturesBothStreamsAndTheExitCode) {
  const auto result = RunProgram(Shell("echo out; echo err >&2; exit 4"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stdout_data, "out\n");
  EXPECT_EQ(result->stderr_data, "err\n");
  EXPECT_EQ(result->exit_code, 4);
  EXPECT_FALSE(result->ok());
  EXPECT_EQ(result->ExitText(), "exit status 4");
}

TEST(RunTest, ASignalIsReported) {
  const auto result = RunProgram(Shell("kill -TERM $$"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, -1);
  EXPECT_EQ(result->signal, SIGTERM);
}

TEST(RunTest, MuchInputAndOutputAtOnceDoNotBlockEachOther) {
  std::string data;
  for (int i = 0; data.size() < (3 << 20); ++i) absl::StrAppend(&data, i, "\n");
  const auto result = RunProgram({"tee", "/dev/stderr"}, {.stdin_data = data});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->stdout_data == data);
  EXPECT_TRUE(result->stderr_data == data);
}

TEST(RunTest, WithoutInputTheProgramReadsEndOfFile) {
  EXPECT_EQ(RunProgram({"cat"})->stdout_data, "");
}

TEST(RunTest, AProgramThatIgnoresItsInputIsNoError) {
  const auto result = RunProgram({"true"}, {.stdin_data = std::string(1 << 20, 'x')});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->ok());
}

TEST(RunTest, EnvironmentAndFolderAreTheOnesGiven) {
  const auto result = RunProgram(Shell("pwd; echo $X"), {.env = {{"X=1"}}, .cwd = "/"});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stdout_data, "/\n1\n");
}

TEST(RunTest, TooMuchOutputIsAnError) {
  const auto result = RunProgram({"yes"}, {.max_output_bytes = 1000});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kOutOfRange) << result.status();
  EXPECT_EQ(RunProgram({"printf", "12345"}, {.max_output_bytes = 5})->stdout_data, "12345");
}

TEST(RunTest, AfterTheTimeoutTheProgramIsEnded) {
  const auto result = RunProgram({"tail", "-f", "/dev/null"}, {.timeout = absl::Milliseconds(20)});
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(result.status().message(), "tail did not end within 20ms");
}

TEST(RunTest, CancellingKillsEvenAStubbornProgramAndItsDescendants) {
  const std::string pid_file = absl::StrCat(testing::TempDir(), "/stubborn.", getpid());
  const auto pid_in_file = [&]() -> int {
    const auto text = RunProgram({"cat", pid_file});
    int pid = 0;
    if (!text.ok() || !absl::SimpleAtoi(text->stdout_data, &pid)) return 0;
    return pid;
  };
  RunOptions options;
  options.env = {{absl::StrCat("PID_FILE=", pid_file), "PATH=/usr/bin:/bin"}};
  options.kill_after = absl::Milliseconds(20);
  options.cancelled = [&] { return pid_in_file() != 0; };
  const auto result =
      RunProgram(Shell("trap '' TERM; tail -f /dev/null & echo $! > $PID_FILE; wait"), options);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  const int grandchild = pid_in_file();
  ASSERT_GT(grandchild, 0);
  // A signal is sent, not obeyed, when kill() returns; and it is init that reaps this one.
  const UniqueFd end(pidfd_open(grandchild, 0));
  pollfd ended = {end.get(), POLLIN, 0};
  EXPECT_TRUE(!end.valid() || poll(&ended, 1, 60'000) == 1) << grandchild << " runs on";
}

TEST(RunTest, ADescendantThatLivesOnDoesNotHoldUpTheAnswer) {
  const auto result = RunProgram(Shell("tail -f /dev/null & echo $!"));
  ASSERT_TRUE(result.ok()) << result.status();
  int descendant = 0;
  ASSERT_TRUE(absl::SimpleAtoi(result->stdout_data, &descendant));
  EXPECT_EQ(kill(descendant, SIGKILL), 0) << "it was still running";
}

TEST(RunTest, AMissingProgramIsNamed) {
  const auto result = RunProgram({"no-such-program-anywhere"});
  EXPECT_EQ(result.status(), absl::NotFoundError("no-such-program-anywhere is not on PATH"));
}

}  // namespace
}  // namespace machine::common
