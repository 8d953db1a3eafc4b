#include "drivers/sdk/conformance/cloud_options_suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

using testing::HasSubstr;

// What the message has to say in any case. The content of a file is told by the flag of its path.
template <typename Row>
std::string MustSay(const Row& row) {
  if (!row.says.empty()) return row.says;
  return absl::StrCat("--", absl::StripSuffix(row.options.front().name(), "-text"));
}

}  // namespace

TEST_P(CloudCheckTest, SaysWhatExists) {
  const absl::Status status = cloud_->PreCreateCheck(row_.options);
  if (row_.words.empty()) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  const std::string message(status.message());
  for (const std::string& word : row_.words) EXPECT_THAT(message, HasSubstr(word));
  EXPECT_THAT(message, HasSubstr(MustSay(row_)));
}

TEST_P(CloudBadOptionTest, IsRefusedBeforeTheProviderIsAsked) {
  const absl::Status refused = cloud_->OptionsOf(row_.options).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(MustSay(row_)));
  EXPECT_EQ(cloud_->server().CountOf(""), 0);
}

}  // namespace machine::driver
