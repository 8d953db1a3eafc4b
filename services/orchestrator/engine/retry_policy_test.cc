#include "services/orchestrator/engine/retry_policy.h"

#include <gtest/gtest.h>

#include "services/common/status/status.h"
#include "services/orchestrator/engine/tombstone_reaper.h"

namespace machine::orchestrator {
namespace {

absl::Status Failure(machine::v1::ErrorReason reason) {
  return common::Error(absl::StatusCode::kUnavailable, reason, "x");
}

struct RetryCase {
  absl::string_view label;
  machine::v1::ErrorReason reason;
  int attempt;
  std::optional<absl::Duration> delay;
};
class RetryPolicyTest : public testing::TestWithParam<RetryCase> {};
TEST_P(RetryPolicyTest, Decides) {
  EXPECT_EQ(RetryDelay(Failure(GetParam().reason), GetParam().attempt), GetParam().delay);
}
INSTANTIATE_TEST_SUITE_P(
    Failures, RetryPolicyTest,
    testing::ValuesIn<RetryCase>({
        {"ACrashedDriverIsTriedAgainSoon", machine::v1::ERROR_REASON_DRIVER_CRASHED, 1,
         absl::Milliseconds(200)},
        {"TheDelayDoubles", machine::v1::ERROR_REASON_PROVIDER_DOWN, 3, absl::Milliseconds(800)},
        {"TheDelayIsBounded", machine::v1::ERROR_REASON_PROVIDER_DOWN, 9, absl::Seconds(10)},
        {"TheAttemptsAreBounded", machine::v1::ERROR_REASON_PROVIDER_DOWN, 10, std::nullopt},
        {"ALostSshLineIsTriedThreeTimes", machine::v1::ERROR_REASON_SSH_UNREACHABLE, 3,
         std::nullopt},
        {"AStoreThatIsAwayIsWaitedFor", machine::v1::ERROR_REASON_STORE_UNAVAILABLE, 1000,
         absl::Seconds(10)},
        {"AQuotaIsFinal", machine::v1::ERROR_REASON_PROVIDER_QUOTA, 1, std::nullopt},
        {"ABugIsFinal", machine::v1::ERROR_REASON_INVARIANT, 1, std::nullopt},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(RetryPolicyTest, ATombstoneIsChasedEverMoreSlowlyButForEver) {
  EXPECT_EQ(TombstoneDelay(1), absl::Seconds(5));
  EXPECT_EQ(TombstoneDelay(3), absl::Seconds(20));
  EXPECT_EQ(TombstoneDelay(8), absl::Minutes(10));
  EXPECT_EQ(TombstoneDelay(1'000'000), absl::Minutes(10));
}

TEST(RetryPolicyTest, WhatTheProviderAsksForIsObeyed) {
  const absl::Status status = common::WithRetryDelay(
      Failure(machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT), absl::Seconds(42));
  EXPECT_EQ(RetryDelay(status, 1), absl::Seconds(42));
}

}  // namespace
}  // namespace machine::orchestrator
