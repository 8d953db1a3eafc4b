#include "drivers/sdk/machine_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using common::Cancellation;
using ::testing::ElementsAre;

class MachineGateTest : public testing::Test {
 protected:
  // Enters `uid` with an action that only notes that it began.
  std::shared_ptr<Cancellation> Enter(const std::string& uid, int64_t token,
                                      const std::string& name) {
    auto cancellation = std::make_shared<Cancellation>();
    status_ = gate_.Enter(uid, token, cancellation, [this, name] { begun_.push_back(name); });
    return cancellation;
  }

  MachineGate gate_;
  absl::Status status_;
  std::vector<std::string> begun_;
};

TEST_F(MachineGateTest, OneActionAtATimeForEachMachine) {
  Enter("m", 1, "first");
  Enter("m", 1, "second");
  Enter("n", 1, "other machine");
  EXPECT_THAT(begun_, ElementsAre("first", "other machine"));
  gate_.Leave("m");
  EXPECT_THAT(begun_, ElementsAre("first", "other machine", "second"));
}

TEST_F(MachineGateTest, ANewerOwnerCancelsAndWaits) {
  const auto old_running = Enter("m", 1, "old");
  const auto old_waiting = Enter("m", 1, "old waiting");
  const auto newer = Enter("m", 2, "new");
  EXPECT_TRUE(old_running->cancelled());
  EXPECT_TRUE(old_waiting->cancelled());
  EXPECT_FALSE(newer->cancelled());
  EXPECT_THAT(begun_, ElementsAre("old"));
  EXPECT_EQ(gate_.Leave("m"), 2);
  EXPECT_EQ(gate_.Leave("m"), 2);
  EXPECT_THAT(begun_, ElementsAre("old", "old waiting", "new"));
}

TEST_F(MachineGateTest, TheSameOwnerWaitsWithoutCancelling) {
  const auto first = Enter("m", 1, "first");
  Enter("m", 1, "second");
  EXPECT_FALSE(first->cancelled());
}

TEST_F(MachineGateTest, AnOldOwnerIsRefused) {
  EXPECT_TRUE(gate_.Admit("m", 5).ok());
  Enter("m", 4, "stale");
  EXPECT_EQ(status_.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(common::ReasonOf(status_), machine::v1::ERROR_REASON_STALE_FENCING_TOKEN);
  EXPECT_EQ(gate_.Admit("m", 4).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(begun_.empty());
}

TEST_F(MachineGateTest, ForgetsIdleMachinesFirst) {
  MachineGate gate(/*capacity=*/8);
  const auto ignore = [] {};
  ASSERT_TRUE(gate.Enter("busy", 9, std::make_shared<Cancellation>(), ignore).ok());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(gate.Admit(absl::StrCat("idle", i), 9).ok());
  EXPECT_FALSE(gate.Admit("busy", 1).ok());
  EXPECT_FALSE(gate.Admit("idle99", 1).ok());
  EXPECT_TRUE(gate.Admit("idle0", 1).ok()) << "the memory is bounded";
}

}  // namespace
}  // namespace machine::driver
