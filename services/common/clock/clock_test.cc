#include "services/common/clock/clock.h"

#include <gtest/gtest.h>

namespace machine::common {
namespace {

TEST(ClockTest, FakeTimeMovesOnlyWhenTold) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(5));
  EXPECT_EQ(clock.Steady(), absl::Seconds(5));
}

TEST(ClockTest, AWallClockJumpLeavesSteadyTimeAlone) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  clock.JumpWallClock(-absl::Hours(1));
  EXPECT_EQ(clock.Now() - start, -absl::Hours(1));
  EXPECT_EQ(clock.Steady(), absl::ZeroDuration());
}

TEST(ClockTest, RealSteadyTimeNeverGoesBack) {
  const absl::Duration first = Clock::Real().Steady();
  EXPECT_GE(Clock::Real().Steady(), first);
}

}  // namespace
}  // namespace machine::common
