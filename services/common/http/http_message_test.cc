#include "services/common/http/http_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

using ::testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(784'111'700);

TEST(HttpHeadersTest, NamesAreComparedWithoutCase) {
  HttpHeaders headers = {{"Content-Type", "text/plain"}};
  headers.Add("X-Item", "one");
  headers.Add("x-item", "two");
  EXPECT_EQ(headers.Get("content-TYPE"), "text/plain");
  EXPECT_EQ(headers.Get("X-ITEM"), "one");
  EXPECT_THAT(headers.GetAll("X-Item"), ElementsAre("one", "two"));
  EXPECT_EQ(headers.Get("X-Other"), std::nullopt);
  headers.Set("X-ITEM", "three");
  EXPECT_THAT(headers.GetAll("x-item"), ElementsAre("three"));
  EXPECT_TRUE(headers.Has("Content-Type"));
}

struct RetryAfterCase {
  absl::string_view label;
  std::string value;
  std::optional<absl::Duration> delay;
};
class RetryAfterTest : public testing::TestWithParam<RetryAfterCase> {};
TEST_P(RetryAfterTest, IsReadOrIgnored) {
  EXPECT_EQ(RetryAfterOf({{"retry-after", GetParam().value}}, kNow), GetParam().delay);
}
INSTANTIATE_TEST_SUITE_P(Values, RetryAfterTest,
                         testing::ValuesIn<RetryAfterCase>({
                             {"Seconds", "120", absl::Seconds(120)},
                             {"Zero", "0", absl::ZeroDuration()},
                             {"Date", "Sun, 06 Nov 1994 08:49:37 GMT", absl::Seconds(77)},
                             {"PastDate", "Sun, 06 Nov 1993 08:49:37 GMT", absl::ZeroDuration()},
                             {"Negative", "-1", std::nullopt},
                             {"Words", "in a while", std::nullopt},
                             {"Empty", "", std::nullopt},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

struct ErrorCase {
  int status;
  absl::StatusCode code;
  machine::v1::ErrorReason reason;
};
class StatusErrorTest : public testing::TestWithParam<ErrorCase> {};
TEST_P(StatusErrorTest, GivesTheCanonicalCode) {
  const absl::Status status = ErrorOf({.status = GetParam().status}, "no more droplets", kNow);
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_EQ(ReasonOf(status), GetParam().reason);
  if (!status.ok()) {
    EXPECT_EQ(status.message(), absl::StrCat("no more droplets (HTTP ", GetParam().status, ")"));
  }
}
INSTANTIATE_TEST_SUITE_P(
    Statuses, StatusErrorTest,
    testing::ValuesIn<ErrorCase>({
        {200, absl::StatusCode::kOk, machine::v1::ERROR_REASON_UNSPECIFIED},
        {302, absl::StatusCode::kOk, machine::v1::ERROR_REASON_UNSPECIFIED},
        {400, absl::StatusCode::kInvalidArgument, machine::v1::ERROR_REASON_UNSPECIFIED},
        {401, absl::StatusCode::kUnauthenticated, machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
        {403, absl::StatusCode::kPermissionDenied, machine::v1::ERROR_REASON_PROVIDER_POLICY},
        {404, absl::StatusCode::kNotFound, machine::v1::ERROR_REASON_UNSPECIFIED},
        {409, absl::StatusCode::kAborted, machine::v1::ERROR_REASON_UNSPECIFIED},
        {418, absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_UNSPECIFIED},
        {422, absl::StatusCode::kInvalidArgument, machine::v1::ERROR_REASON_UNSPECIFIED},
        {429, absl::StatusCode::kResourceExhausted, machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT},
        {500, absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
        {501, absl::StatusCode::kUnimplemented, machine::v1::ERROR_REASON_CAPABILITY_MISSING},
        {503, absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN},
    }),
    [](const auto& info) { return absl::StrCat("Status", info.param.status); });

TEST(ErrorOfTest, ARateLimitCarriesItsDelay) {
  const HttpResponse response = {.status = 429, .headers = {{"Retry-After", "30"}}};
  EXPECT_EQ(RetryDelayOf(ErrorOf(response, "", kNow)), absl::Seconds(30));
  EXPECT_EQ(ErrorOf(response, "", kNow).message(), "(HTTP 429)");
  EXPECT_EQ(RetryDelayOf(ErrorOf({.status = 429}, "", kNow)), std::nullopt);
}

}  // namespace
}  // namespace machine::common
