// The supervisor with a real driver program, and with programs that misbehave.
#include "services/orchestrator/drivers/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "services/common/process/process_id.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    char folder[] = "/tmp/svXXXXXX";
    folder_ = mkdtemp(folder);
    fs::create_symlink(fs::absolute("drivers/none/machine-driver-none"),
                       folder_ + "/machine-driver-none");
    fs::create_symlink(fs::absolute("drivers/none/machine-driver-none"),
                       folder_ + "/machine-driver-other");
    options_.libexec_dir = folder_;
    options_.runtime_dir = folder_;
    options_.data_dir = folder_;
    options_.orchestrator_id = "test";
    StartSupervisor();
  }

  void StartSupervisor() {
    supervisor_ = nullptr;
    supervisor_ = std::make_unique<Supervisor>(
        options_, executor_, metrics_, common::Logger(common::Severity::kError, "test"), clock_);
  }
  ~SupervisorTest() override {
    supervisor_->Shutdown();
    fs::remove_all(folder_);
  }

  absl::StatusOr<std::shared_ptr<Child>> Get(absl::string_view program) {
    absl::StatusOr<std::shared_ptr<Child>> result;
    absl::Notification done;
    supervisor_->Get(program, [&](absl::StatusOr<std::shared_ptr<Child>> child) {
      result = std::move(child);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  void WriteProgram(const std::string& name, absl::string_view script) {
    ASSERT_TRUE(common::WriteFileAtomically(folder_ + "/" + name,
                                            absl::StrCat("#!/bin/sh\n", script, "\n"), 0755)
                    .ok());
  }

  // Waits until the supervisor has taken note of the end of the child that it had.
  ChildStatus StatusAfterEnd(absl::string_view program) {
    for (;;) {
      const ChildStatus status = supervisor_->Status(program);
      if (status.state != machine::v1::DriverInfo::READY) return status;
      std::this_thread::yield();
    }
  }

  std::string folder_;
  SupervisorOptions options_;
  common::FakeClock clock_;
  common::Metrics metrics_;
  common::Executor executor_{8};
  std::unique_ptr<Supervisor> supervisor_;
};

TEST_F(SupervisorTest, OneProcessServesAllWhoAsk) {
  std::vector<std::shared_ptr<Child>> children(20);
  absl::Mutex mu;
  int answered = 0;
  for (auto& slot : children) {
    supervisor_->Get("machine-driver-none", [&](absl::StatusOr<std::shared_ptr<Child>> child) {
      absl::MutexLock lock(&mu);
      if (child.ok()) slot = *child;
      ++answered;
    });
  }
  {
    absl::MutexLock lock(&mu);
    const auto all = [&] { return answered == 20; };
    mu.Await(absl::Condition(&all));
  }
  ASSERT_NE(children[0], nullptr);
  for (const auto& child : children) EXPECT_EQ(child, children[0]);
  EXPECT_TRUE(children[0]->channel().WaitUntilReady(absl::Seconds(20)).ok());
}

TEST_F(SupervisorTest, AKilledChildIsStartedAgain) {
  const auto first = Get("machine-driver-none");
  ASSERT_TRUE(first.ok()) << first.status();
  kill((*first)->pid(), SIGKILL);
  (*first)->Stop(absl::Seconds(20));  // Waits for its end.
  const auto second = Get("machine-driver-none");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE((*second)->pid(), (*first)->pid());
}

TEST_F(SupervisorTest, AnUnusedChildIsStoppedAndAUsedOneIsNot) {
  auto child = Get("machine-driver-none");
  ASSERT_TRUE(child.ok()) << child.status();
  clock_.Advance(absl::Hours(1));
  supervisor_->StopIdle(absl::Minutes(10));
  EXPECT_TRUE((*child)->alive());
  const std::weak_ptr<Child> weak = *child;
  child = absl::UnknownError("dropped");
  // The task that handed it out lets go of it a moment after its answer.
  while (weak.use_count() > 1) std::this_thread::yield();
  supervisor_->StopIdle(absl::Minutes(10));
  EXPECT_TRUE(weak.expired());
}

TEST_F(SupervisorTest, AMissingProgramIsNotFound) {
  EXPECT_EQ(common::ReasonOf(Get("machine-driver-nope").status()),
            machine::v1::ERROR_REASON_DRIVER_NOT_FOUND);
}

TEST_F(SupervisorTest, AProgramThatDiesAtOnceIsReportedWithItsLastWords) {
  WriteProgram("machine-driver-bad", "echo 'no more ink' >&2; exit 1");
  const auto child = Get("machine-driver-bad");
  EXPECT_EQ(common::ReasonOf(child.status()), machine::v1::ERROR_REASON_DRIVER_CRASHED);
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("no more ink"));
}

TEST_F(SupervisorTest, AProgramThatKeepsDyingIsBrokenUntilItChanges) {
  WriteProgram("machine-driver-bad", "exit 1");
  // Time stands still, so later starts would wait for their back-off: the first two come at once.
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(Get("machine-driver-bad").ok());
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(absl::Seconds(10));
    EXPECT_FALSE(Get("machine-driver-bad").ok());
  }
  const auto broken = Get("machine-driver-bad");
  EXPECT_THAT(std::string(broken.status().message()), HasSubstr("is not started again"));
  fs::remove(folder_ + "/machine-driver-bad");
  fs::create_symlink(fs::absolute("drivers/none/machine-driver-none"),
                     folder_ + "/machine-driver-bad");
  const auto mended = Get("machine-driver-bad");
  EXPECT_TRUE(mended.ok()) << mended.status();
}

TEST_F(SupervisorTest, TheStatusTellsOfProcessCrashesAndBackoff) {
  EXPECT_EQ(supervisor_->Status("machine-driver-none").state, machine::v1::DriverInfo::ABSENT);
  const auto other = Get("machine-driver-other");
  ASSERT_TRUE(other.ok()) << other.status();
  auto child = Get("machine-driver-none");
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(supervisor_->Status("machine-driver-none").pid, (*child)->pid());
  kill((*child)->pid(), SIGSEGV);
  ChildStatus status = StatusAfterEnd("machine-driver-none");
  EXPECT_EQ(status.state, machine::v1::DriverInfo::ABSENT);  // The first time it may start at once.
  EXPECT_EQ(status.pid, 0);
  EXPECT_EQ(common::ReasonOf(status.last_error), machine::v1::ERROR_REASON_DRIVER_CRASHED);
  EXPECT_THAT(std::string(status.last_error.message()), HasSubstr("it ended with signal 11"));
  child = Get("machine-driver-none");
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(supervisor_->Status("machine-driver-none").restarts, 1);
  kill((*child)->pid(), SIGKILL);
  EXPECT_EQ(StatusAfterEnd("machine-driver-none").state, machine::v1::DriverInfo::BACKOFF);
  // Nothing of this is another driver's.
  EXPECT_TRUE((*other)->alive());
  EXPECT_EQ(supervisor_->Status("machine-driver-other").restarts, 0);
}

TEST_F(SupervisorTest, AProgramThatKeepsDyingShowsAsBrokenWithItsLastLines) {
  WriteProgram("machine-driver-bad", "echo 'no more ink' >&2; exit 1");
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(Get("machine-driver-bad").ok());
    clock_.Advance(absl::Seconds(10));
  }
  const ChildStatus status = supervisor_->Status("machine-driver-bad");
  EXPECT_EQ(status.state, machine::v1::DriverInfo::BROKEN);
  EXPECT_THAT(std::string(status.last_error.message()), HasSubstr("no more ink"));
}

TEST_F(SupervisorTest, AChildThatHangsIsKilledAndStartedAgain) {
  options_.watch_interval = absl::Milliseconds(10);
  options_.probe_interval = absl::Milliseconds(100);
  StartSupervisor();
  const auto other = Get("machine-driver-other");
  const auto child = Get("machine-driver-none");
  ASSERT_TRUE(child.ok() && other.ok());
  ASSERT_TRUE((*other)->channel().WaitUntilReady(absl::Seconds(20)).ok());
  kill((*child)->pid(), SIGSTOP);
  // Each look is due at once, and each question is waited for.
  while ((*child)->alive()) {
    clock_.Advance(options_.probe_interval);
    std::this_thread::yield();
  }
  EXPECT_THAT(std::string(StatusAfterEnd("machine-driver-none").last_error.message()),
              HasSubstr("it was killed: it did not answer for 300ms"));
  const auto again = Get("machine-driver-none");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_NE((*again)->pid(), (*child)->pid());
}

TEST_F(SupervisorTest, AChildThatTakesTooMuchMemoryIsKilled) {
  options_.watch_interval = absl::Milliseconds(10);
  options_.memory_limit_bytes = 1 << 20;  // Less than any program has.
  StartSupervisor();
  ASSERT_TRUE(Get("machine-driver-none").ok());
  EXPECT_THAT(std::string(StatusAfterEnd("machine-driver-none").last_error.message()),
              HasSubstr("MiB of memory, more than 1"));
}

TEST_F(SupervisorTest, AFloodOfLinesHoldsNobodyUpAndItsEndIsKept) {
  // More than a pipe holds, so it would stand still if nobody read; without a line end at last.
  WriteProgram("machine-driver-loud",
               "yes 'blah blah' | head -n 200000 >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; "
               "echo 'that was all' >&2; exit 1");
  const auto child = Get("machine-driver-loud");
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("that was all"));
  EXPECT_LT(child.status().message().size(), size_t{400} << 10);
  EXPECT_TRUE(Get("machine-driver-none").ok());
}

TEST(LogLimitTest, LetsABurstPassThenAsMuchAsTheTimeAllows) {
  LogLimit limit;
  int passed = 0;
  for (int i = 0; i < 3000; ++i) passed += limit.Pass(absl::Seconds(1000)) ? 1 : 0;
  EXPECT_EQ(passed, 1000);
  EXPECT_EQ(limit.TakeDropped(), 2000);
  for (int i = 0; i < 3000; ++i) passed += limit.Pass(absl::Seconds(1002)) ? 1 : 0;
  EXPECT_EQ(passed, 1200);
  EXPECT_EQ(limit.TakeDropped(), 2800);
  EXPECT_EQ(limit.TakeDropped(), 0);
}

TEST_F(SupervisorTest, AChildIsReapedThoughADescendantKeepsItsLogOpen) {
  WriteProgram("machine-driver-parent", "sleep 1000 3>&- & echo $! > \"$0.child\"; exit 1");
  EXPECT_FALSE(Get("machine-driver-parent").ok());
  kill(std::stoi(*common::ReadFile(folder_ + "/machine-driver-parent.child")), SIGKILL);
}

TEST_F(SupervisorTest, WhatAKilledOrchestratorLeftIsEndedByTheNext) {
  // As a driver that was stopped, and so did not see that its orchestrator went.
  common::SpawnOptions spawn;
  spawn.argv = {"/bin/sleep", "1000"};
  auto left = common::Process::Spawn(spawn);
  ASSERT_TRUE(left.ok()) << left.status();
  left->Signal(SIGSTOP).IgnoreError();
  const int64_t start_time = common::ProcessStartTime(left->pid()).value();
  // And one whose number another process has by now.
  auto stranger = common::Process::Spawn(spawn);
  ASSERT_TRUE(stranger.ok()) << stranger.status();
  const auto note = [&](const char* name, pid_t pid, int64_t time) {
    ASSERT_TRUE(common::WriteFileAtomically(absl::StrCat(folder_, "/", name, ".sock.pid"),
                                            absl::StrCat(pid, " ", time), 0600)
                    .ok());
  };
  note("left", left->pid(), start_time);
  note("stranger", stranger->pid(), start_time - 1);
  StartSupervisor();
  EXPECT_EQ(left->Wait()->signal, SIGKILL);
  EXPECT_TRUE(common::IsAlive(stranger->pid(), *common::ProcessStartTime(stranger->pid())));
}

}  // namespace
}  // namespace machine::orchestrator
