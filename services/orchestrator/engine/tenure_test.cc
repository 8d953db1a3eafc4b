#include "services/orchestrator/engine/tenure.h"

#include <gtest/gtest.h>

namespace machine::orchestrator {
namespace {

TEST(TenureTest, LastsAsLongAsItIsRenewedInTime) {
  common::FakeClock clock;
  Tenure tenure("owner", absl::Seconds(20), clock);
  for (int i = 0; i < 5; ++i) {
    clock.Advance(absl::Seconds(19));
    EXPECT_TRUE(tenure.Lasts());
    tenure.Renewed(clock.Steady());
  }
}

TEST(TenureTest, ARenewalCountsFromWhereItBegan) {
  common::FakeClock clock;
  Tenure tenure("owner", absl::Seconds(20), clock);
  clock.Advance(absl::Seconds(15));
  const absl::Duration start = clock.Steady();
  clock.Advance(absl::Seconds(20));
  tenure.Renewed(start);
  EXPECT_FALSE(tenure.Lasts());
}

TEST(TenureTest, OnceOverNoLateRenewalRevivesIt) {
  common::FakeClock clock;
  Tenure tenure("owner", absl::Seconds(20), clock);
  clock.Advance(absl::Seconds(20));
  EXPECT_FALSE(tenure.Lasts());
  tenure.Renewed(clock.Steady());
  EXPECT_FALSE(tenure.Lasts());
}

TEST(TenureTest, GoesByTheSteadyClock) {
  common::FakeClock clock;
  Tenure tenure("owner", absl::Seconds(20), clock);
  clock.JumpWallClock(absl::Hours(1));
  EXPECT_TRUE(tenure.Lasts());
}

TEST(TenureTest, WithoutOthersItNeverEnds) {
  common::FakeClock clock;
  Tenure tenure("owner", absl::InfiniteDuration(), clock);
  clock.Advance(absl::Hours(1000));
  EXPECT_TRUE(tenure.Lasts());
}

}  // namespace
}  // namespace machine::orchestrator
