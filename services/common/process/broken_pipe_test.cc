#include "services/common/process/broken_pipe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "services/common/process/unique_fd.h"

namespace machine::common {
namespace {

// The end of a pipe that nobody reads.
UniqueFd PipeWithoutReader() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe(ends), 0);
  close(ends[0]);
  return UniqueFd(ends[1]);
}

bool IsIn(const sigset_t& set) { return sigismember(&set, SIGPIPE) == 1; }

bool IsPending() {
  sigset_t pending;
  EXPECT_EQ(sigpending(&pending), 0);
  return IsIn(pending);
}

bool IsBlocked() {
  sigset_t blocked;
  EXPECT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &blocked), 0);
  return IsIn(blocked);
}

// SIGPIPE ends a process that has made no arrangement, as this one has not.
TEST(BrokenPipeGuardTest, AWriteThatNobodyReadsIsAnErrorAndNoSignal) {
  const UniqueFd end = PipeWithoutReader();
  {
    const BrokenPipeGuard guard;
    EXPECT_EQ(write(end.get(), "x", 1), -1);
    EXPECT_EQ(errno, EPIPE);
  }
  EXPECT_EQ(errno, EPIPE);
  EXPECT_FALSE(IsPending());
  EXPECT_FALSE(IsBlocked());
}

TEST(BrokenPipeGuardTest, TheOuterOfTwoStillGuardsAfterTheInner) {
  const UniqueFd end = PipeWithoutReader();
  const BrokenPipeGuard outer;
  {
    const BrokenPipeGuard inner;
    EXPECT_EQ(write(end.get(), "x", 1), -1);
  }
  EXPECT_TRUE(IsBlocked());
  EXPECT_EQ(write(end.get(), "x", 1), -1);
}

TEST(BrokenPipeGuardTest, ASignalThatWaitedBeforeIsLeftToWhoBlockedIt) {
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigset_t before;
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &pipe_signal, &before), 0);
  ASSERT_EQ(raise(SIGPIPE), 0);
  const UniqueFd end = PipeWithoutReader();
  {
    const BrokenPipeGuard guard;
    EXPECT_EQ(write(end.get(), "x", 1), -1);
  }
  EXPECT_TRUE(IsPending());
  int taken = 0;
  EXPECT_EQ(sigwait(&pipe_signal, &taken), 0);
  EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

}  // namespace
}  // namespace machine::common
