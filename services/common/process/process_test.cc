#include "services/common/process/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "services/common/process/process_id.h"

namespace machine::common {
namespace {

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t count;
  while ((count = read(fd, buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

/// What a child with these options prints on its standard output.
std::string OutputOf(SpawnOptions options) {
  options.stdout_to = Stdio::Pipe();
  absl::StatusOr<Process> child = Process::Spawn(options);
  if (!child.ok()) return child.status().ToString();
  std::string output = ReadToEnd(child->stdout_fd().get());
  EXPECT_TRUE(child->Wait().ok());
  return output;
}

/// A child that runs until it is killed or its standard input is closed.
absl::StatusOr<Process> SpawnBlocked(bool new_session = false) {
  SpawnOptions options;
  options.argv = {"cat"};
  options.stdin_from = Stdio::Pipe();
  options.stdout_to = Stdio::Null();
  options.new_session = new_session;
  return Process::Spawn(options);
}

struct EndCase {
  absl::string_view label;
  std::string script;
  int exit_code, signal;
  absl::string_view text;
};
class EndTest : public testing::TestWithParam<EndCase> {};
TEST_P(EndTest, IsReported) {
  const EndCase& c = GetParam();
  SpawnOptions options;
  options.argv = {"sh", "-c", c.script};
  absl::StatusOr<Process> child = Process::Spawn(options);
  ASSERT_TRUE(child.ok()) << child.status();
  const absl::StatusOr<ExitStatus> exit = child->Wait();
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->exit_code, c.exit_code);
  EXPECT_EQ(exit->signal, c.signal);
  EXPECT_EQ(exit->ToString(), c.text);
  EXPECT_EQ(child->Wait()->exit_code, c.exit_code) << "asked again";
}
INSTANTIATE_TEST_SUITE_P(Ends, EndTest,
                         testing::ValuesIn<EndCase>({
                             {"Success", "exit 0", 0, 0, "exit status 0"},
                             {"Failure", "exit 3", 3, 0, "exit status 3"},
                             {"Signal", "kill -KILL $$", -1, SIGKILL, "signal 9 (Killed)"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(ProcessTest, ArgumentsArriveUntouchedByAnyShell) {
  EXPECT_EQ(OutputOf({.argv = {"printf", "[%s]", "$HOME; rm *", "", "two words"}}),
            "[$HOME; rm *][][two words]");
}

TEST(ProcessTest, TheEnvironmentIsExactlyTheOneGiven) {
  EXPECT_EQ(OutputOf({.argv = {"/usr/bin/env"}, .env = {{"A=1", "B=two words"}}}),
            "A=1\nB=two words\n");
}

TEST(ProcessTest, TheWorkingFolderIsTheOneGiven) {
  EXPECT_EQ(OutputOf({.argv = {"pwd"}, .cwd = "/"}), "/\n");
}

TEST(ProcessTest, APipeReachesStandardInput) {
  SpawnOptions options;
  options.argv = {"cat"};
  options.stdin_from = Stdio::Pipe();
  options.stdout_to = Stdio::Pipe();
  absl::StatusOr<Process> child = Process::Spawn(options);
  ASSERT_TRUE(child.ok()) << child.status();
  ASSERT_EQ(write(child->stdin_fd().get(), "hello", 5), 5);
  child->stdin_fd().reset();
  EXPECT_EQ(ReadToEnd(child->stdout_fd().get()), "hello");
  EXPECT_TRUE(child->Wait()->ok());
}

TEST(ProcessTest, ExtraDescriptorsAreMappedAlsoWhereNumbersCross) {
  int first[2];
  int second[2];
  ASSERT_EQ(pipe2(first, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(second, O_CLOEXEC), 0);
  const UniqueFd first_read(first[0]);
  UniqueFd first_write(first[1]);
  const UniqueFd second_read(second[0]);
  UniqueFd second_write(second[1]);
  SpawnOptions options;
  // Each one's number in the child is the other's number here.
  options.argv = {"sh", "-c",
                  absl::StrCat("printf one >&", first[1], "; printf two >&", second[1])};
  options.extra_fds = {{first[1], second[1]}, {second[1], first[1]}};
  absl::StatusOr<Process> child = Process::Spawn(options);
  ASSERT_TRUE(child.ok()) << child.status();
  first_write.reset();
  second_write.reset();
  ASSERT_TRUE(child->Wait()->ok());
  EXPECT_EQ(ReadToEnd(first_read.get()), "two");
  EXPECT_EQ(ReadToEnd(second_read.get()), "one");
}

TEST(ProcessTest, NoOtherDescriptorReachesTheChild) {
  // As a library might open it: without O_CLOEXEC.
  const UniqueFd leaky(open("/dev/null", O_RDONLY));
  ASSERT_TRUE(leaky.valid());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  SpawnOptions options;
  options.argv = {"sh", "-c",
                  "for fd in $(seq 0 200); do [ -e /proc/$$/fd/$fd ] && echo $fd; done"};
  options.extra_fds = {{7, write_end.get()}};
  EXPECT_EQ(OutputOf(options), "0\n1\n2\n7\n");
}

TEST(ProcessTest, TheChildStartsWithDefaultSignals) {
  struct sigaction before;
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(sigaction(SIGPIPE, &ignore, &before), 0);
  const std::string status = OutputOf({.argv = {"grep", "SigIgn", "/proc/self/status"}});
  sigaction(SIGPIPE, &before, nullptr);
  uint64_t ignored = ~uint64_t{0};
  ASSERT_TRUE(absl::SimpleHexAtoi(absl::StripPrefix(status, "SigIgn:"), &ignored)) << status;
  EXPECT_EQ(ignored >> (SIGPIPE - 1) & 1, 0);
}

TEST(ProcessTest, ANewSessionHasItsOwnGroup) {
  absl::StatusOr<Process> child = SpawnBlocked(/*new_session=*/true);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(getsid(child->pid()), child->pid());
  EXPECT_EQ(getpgid(child->pid()), child->pid());
}

TEST(ProcessTest, WaitingEndsAtTheDeadlineAndTheChildRunsOn) {
  absl::StatusOr<Process> child = SpawnBlocked();
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(child->WaitFor(absl::Now()).status().code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(child->Signal(SIGTERM).ok());
  EXPECT_EQ(child->Wait()->signal, SIGTERM);
  EXPECT_EQ(child->Signal(SIGTERM).code(), absl::StatusCode::kNotFound);
}

TEST(ProcessTest, GoingAwayKillsAndReapsTheChild) {
  pid_t pid;
  {
    absl::StatusOr<Process> child = SpawnBlocked();
    ASSERT_TRUE(child.ok()) << child.status();
    pid = child->pid();
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH) << "not even a zombie is left";
}

TEST(ProcessTest, GoingAwayKillsTheWholeGroupOfANewSession) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  {
    SpawnOptions options;
    // The grandchild holds the pipe. The child says so and then waits for it.
    options.argv = {"sh", "-c", "tail -f /dev/null & echo ready; wait"};
    options.stdout_to = Stdio::Pipe();
    options.extra_fds = {{3, write_end.get()}};
    options.new_session = true;
    absl::StatusOr<Process> child = Process::Spawn(options);
    ASSERT_TRUE(child.ok()) << child.status();
    char byte;
    ASSERT_EQ(read(child->stdout_fd().get(), &byte, 1), 1);
    write_end.reset();
  }
  EXPECT_EQ(ReadToEnd(read_end.get()), "") << "end of file: nobody holds the pipe any more";
}

TEST(ProcessTest, ADetachedChildLivesOn) {
  pid_t pid;
  UniqueFd lifeline;
  {
    absl::StatusOr<Process> child = SpawnBlocked();
    ASSERT_TRUE(child.ok()) << child.status();
    pid = child->pid();
    lifeline = std::move(child->stdin_fd());
    child->Detach();
  }
  const absl::StatusOr<int64_t> start_time = ProcessStartTime(pid);
  ASSERT_TRUE(start_time.ok()) << start_time.status();
  EXPECT_TRUE(IsAlive(pid, *start_time));
  lifeline.reset();
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
}

struct SpawnErrorCase {
  absl::string_view label;
  std::vector<std::string> argv;
  std::map<int, int> extra_fds;
  absl::StatusCode code;
};
class SpawnErrorTest : public testing::TestWithParam<SpawnErrorCase> {};
TEST_P(SpawnErrorTest, IsReported) {
  SpawnOptions options;
  options.argv = GetParam().argv;
  options.extra_fds = GetParam().extra_fds;
  EXPECT_EQ(Process::Spawn(options).status().code(), GetParam().code);
}
INSTANTIATE_TEST_SUITE_P(
    Errors, SpawnErrorTest,
    testing::ValuesIn<SpawnErrorCase>({
        {"NothingToStart", {}, {}, absl::StatusCode::kInvalidArgument},
        {"NotOnPath", {"no-such-program-anywhere"}, {}, absl::StatusCode::kNotFound},
        {"NoSuchFile", {"/no/such/program"}, {}, absl::StatusCode::kNotFound},
        {"NotAProgram", {"/etc/passwd"}, {}, absl::StatusCode::kPermissionDenied},
        {"ExtraFdIsAStandardStream", {"true"}, {{1, 1}}, absl::StatusCode::kInvalidArgument},
        {"ExtraFdIsNotOpen", {"true"}, {{3, 999}}, absl::StatusCode::kFailedPrecondition},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(FindProgramTest, FindsOnlyWhatCanBeExecuted) {
  EXPECT_EQ(FindProgram("sh").value().back(), 'h');
  EXPECT_EQ(FindProgram("sh").value().front(), '/');
  EXPECT_EQ(FindProgram("/bin/sh").value(), "/bin/sh");
  EXPECT_EQ(FindProgram("no-such-program-anywhere").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindProgram("/etc/passwd").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindProgram("/tmp").status().code(), absl::StatusCode::kNotFound) << "a folder";
  EXPECT_EQ(FindProgram("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ProcessIdTest, OnlyTheSameStartTimeIsTheSameProcess) {
  absl::StatusOr<Process> child = SpawnBlocked();
  ASSERT_TRUE(child.ok()) << child.status();
  const absl::StatusOr<int64_t> start_time = ProcessStartTime(child->pid());
  ASSERT_TRUE(start_time.ok()) << start_time.status();
  EXPECT_GT(*start_time, 0);

  EXPECT_TRUE(IsAlive(child->pid(), *start_time));
  EXPECT_FALSE(IsAlive(child->pid(), *start_time - 1));
  EXPECT_EQ(SignalProcess(child->pid(), *start_time - 1, SIGKILL).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(child->WaitFor(absl::Now()).status().code(), absl::StatusCode::kDeadlineExceeded);

  EXPECT_TRUE(SignalProcess(child->pid(), *start_time, SIGKILL).ok());
  pollfd ended = {child->pidfd(), POLLIN, 0};
  ASSERT_EQ(poll(&ended, 1, -1), 1);
  EXPECT_FALSE(IsAlive(child->pid(), *start_time)) << "a zombie does not run";
  EXPECT_EQ(child->Wait()->signal, SIGKILL);
  EXPECT_EQ(ProcessStartTime(child->pid()).status().code(), absl::StatusCode::kNotFound);
}

TEST(ProcessIdTest, ANameWithBlanksAndBracketsIsNoTrap) {
  const std::string program = absl::StrCat(testing::TempDir(), "/x) R 1 1 (", getpid());
  ASSERT_EQ(symlink("/bin/cat", program.c_str()), 0);
  SpawnOptions options;
  options.argv = {program};
  options.stdin_from = Stdio::Pipe();
  absl::StatusOr<Process> child = Process::Spawn(options);
  ASSERT_TRUE(child.ok()) << child.status();
  absl::StatusOr<Process> sibling = SpawnBlocked();
  ASSERT_TRUE(sibling.ok()) << sibling.status();
  const int64_t ours = ProcessStartTime(getpid()).value();
  EXPECT_GE(ProcessStartTime(child->pid()).value(), ours);
  EXPECT_LE(ProcessStartTime(child->pid()).value(), ProcessStartTime(sibling->pid()).value());
  unlink(program.c_str());
}

}  // namespace
}  // namespace machine::common
