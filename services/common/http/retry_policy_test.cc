#include "services/common/http/retry_policy.h"

#include <gtest/gtest.h>

namespace machine::common {
namespace {

constexpr absl::Duration kMin = absl::Milliseconds(200);
constexpr absl::Duration kMax = absl::Seconds(10);

TEST(RetryPolicyTest, DelaysDoubleUpToTheLongest) {
  RetryPolicy policy(kMin, kMax, [] { return 1.0; });
  EXPECT_EQ(policy.Delay(1, std::nullopt), absl::Milliseconds(200));
  EXPECT_EQ(policy.Delay(2, std::nullopt), absl::Milliseconds(400));
  EXPECT_EQ(policy.Delay(6, std::nullopt), absl::Milliseconds(6400));
  EXPECT_EQ(policy.Delay(7, std::nullopt), kMax);
  EXPECT_EQ(policy.Delay(1000, std::nullopt), kMax);
}

TEST(RetryPolicyTest, TheJitterTakesUpToHalf) {
  RetryPolicy policy(kMin, kMax, [] { return 0.0; });
  EXPECT_EQ(policy.Delay(1, std::nullopt), absl::Milliseconds(100));
  EXPECT_EQ(policy.Delay(9, std::nullopt), absl::Seconds(5));
}

TEST(RetryPolicyTest, RetryAfterIsObeyedAlsoBeyondTheLongest) {
  RetryPolicy policy(kMin, kMax, [] { return 1.0; });
  EXPECT_EQ(policy.Delay(1, absl::Seconds(30)), absl::Seconds(30));
  EXPECT_EQ(policy.Delay(3, absl::ZeroDuration()), absl::Milliseconds(800)) << "never less";
}

TEST(RetryPolicyTest, TheSystemsRandomNumbersStayWithinTheJitter) {
  RetryPolicy policy(kMin, kMax, nullptr);
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration delay = policy.Delay(1, std::nullopt);
    EXPECT_GE(delay, absl::Milliseconds(100));
    EXPECT_LE(delay, absl::Milliseconds(200));
  }
}

TEST(RetryPolicyTest, OnlySafeMethodsAndPassingStatusesAreRepeated) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    EXPECT_TRUE(IsIdempotentMethod(method)) << method;
  }
  for (const char* method : {"POST", "PATCH", "get", ""}) {
    EXPECT_FALSE(IsIdempotentMethod(method)) << method;
  }
  for (const int status : {429, 502, 503, 504}) EXPECT_TRUE(IsTransientStatus(status)) << status;
  for (const int status : {200, 302, 400, 401, 404, 409, 500, 501}) {
    EXPECT_FALSE(IsTransientStatus(status)) << status;
  }
}

}  // namespace
}  // namespace machine::common
