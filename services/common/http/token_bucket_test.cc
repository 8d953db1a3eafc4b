#include "services/common/http/token_bucket.h"

#include <gtest/gtest.h>

namespace machine::common {
namespace {

TEST(TokenBucketTest, LetsABurstThroughAndThenTheRate) {
  FakeClock clock;
  TokenBucket bucket(/*per_second=*/2, /*burst=*/3, clock);
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(), absl::Milliseconds(500));
  EXPECT_EQ(bucket.Reserve(), absl::Milliseconds(1000));
  clock.Advance(absl::Milliseconds(1500));
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
}

TEST(TokenBucketTest, IdleTimeFillsItNoFurtherThanTheBurst) {
  FakeClock clock;
  TokenBucket bucket(1, 2, clock);
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(), absl::Seconds(1));
}

TEST(TokenBucketTest, ATurnThatComesTooLateIsNotTaken) {
  FakeClock clock;
  TokenBucket bucket(1, 1, clock);
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  EXPECT_EQ(bucket.Reserve(absl::Milliseconds(999)), std::nullopt);
  EXPECT_EQ(bucket.Reserve(absl::Seconds(1)), absl::Seconds(1)) << "it was still free";
}

TEST(TokenBucketTest, NoTurnBeginsWithinAPauseAndNoBurstAfterIt) {
  FakeClock clock;
  TokenBucket bucket(1, 10, clock);
  bucket.PauseFor(absl::Seconds(30));
  bucket.PauseFor(absl::Seconds(5));
  EXPECT_EQ(bucket.Reserve(), absl::Seconds(30));
  EXPECT_EQ(bucket.Reserve(), absl::Seconds(31));
  clock.Advance(absl::Seconds(40));
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
}

TEST(TokenBucketTest, AJumpOfTheWallClockChangesNothing) {
  FakeClock clock;
  TokenBucket bucket(1, 1, clock);
  EXPECT_EQ(bucket.Reserve(), absl::ZeroDuration());
  clock.JumpWallClock(absl::Hours(1));
  EXPECT_EQ(bucket.Reserve(), absl::Seconds(1));
}

}  // namespace
}  // namespace machine::common
