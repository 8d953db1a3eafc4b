#include "services/common/crypto/join_token.h"

#include <gtest/gtest.h>

namespace machine::common {
namespace {

TEST(JoinTokenTest, IsReadAsItWasWritten) {
  const JoinToken token{std::string(31, '\0') + "\xff", std::string(64, 'a')};
  const std::string text = FormatJoinToken(token);
  const auto parsed = ParseJoinToken(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->secret, token.secret);
  EXPECT_EQ(parsed->ca_fingerprint, token.ca_fingerprint);
}

TEST(JoinTokenTest, WhatIsNoneIsRefusedAndNotShown) {
  const std::string text = FormatJoinToken({std::string(32, 'x'), std::string(64, 'a')});
  for (const std::string& bad : {std::string(), std::string("dmj1_"), text.substr(1),
                                 text.substr(0, text.size() - 4), text + "AAAA", text + "!"}) {
    const auto parsed = ParseJoinToken(bad);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    if (bad.size() > 10) {
      EXPECT_EQ(std::string(parsed.status().message()).find(bad), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace machine::common
