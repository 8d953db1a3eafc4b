#include "services/common/rpc/executor.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"

namespace machine::common {
namespace {

TEST(ExecutorTest, BlockedTasksDoNotKeepOthersFromRunning) {
  Executor executor(4);
  absl::Notification release;
  absl::BlockingCounter blocked(3);
  for (int i = 0; i < 3; ++i) {
    executor.Run([&] {
      blocked.DecrementCount();
      release.WaitForNotification();
    });
  }
  blocked.Wait();
  absl::Notification ran;
  executor.Run([&] { ran.Notify(); });
  ran.WaitForNotification();
  release.Notify();
}

TEST(ExecutorTest, DestructionRunsWhatIsQueued) {
  std::atomic<int> count = 0;
  {
    Executor executor(2);
    for (int i = 0; i < 100; ++i) {
      executor.Run([&] { ++count; });
    }
  }
  EXPECT_EQ(count, 100);
}

TEST(ExecutorTest, TimersRunInTheOrderOfTheirTimes) {
  Executor executor(1);
  std::vector<int> order;
  absl::Notification done;
  executor.RunAfter(absl::Milliseconds(20), [&] {
    order.push_back(2);
    done.Notify();
  });
  executor.RunAfter(absl::Milliseconds(1), [&] { order.push_back(1); });
  done.WaitForNotification();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(ExecutorTest, TimersNotDueAreDroppedAtDestruction) {
  bool ran = false;
  {
    Executor(1).RunAfter(absl::Hours(1), [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(StrandTest, KeepsOrderOnManyThreads) {
  std::vector<int> order;
  {
    Executor executor(8);
    const auto strand = std::make_shared<Strand>(executor);
    for (int i = 0; i < 1000; ++i) {
      strand->Run([&order, i] { order.push_back(i); });
    }
  }
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace machine::common
