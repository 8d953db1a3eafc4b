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
    supervisor_ = std::make_unique<Supervisor>(
        SupervisorOptions{.libexec_dir = folder_,
                          .runtime_dir = folder_,
                          .data_dir = folder_,
                          .orchestrator_id = "test"},
        executor_, metrics_, common::Logger(common::Severity::kError, "test"), clock_);
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

  std::string folder_;
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

}  // namespace
}  // namespace machine::orchestrator
