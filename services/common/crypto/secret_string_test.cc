#include "services/common/crypto/secret_string.h"

#include <gtest/gtest.h>

#include <utility>

namespace machine::common {
namespace {

TEST(SecretStringTest, ErasingWipesAlsoWhatIsBeyondTheEnd) {
  std::string text = "a secret that is longer than a short string";
  const size_t length = text.size();
  const char* bytes = text.data();
  text.resize(3);
  SecureErase(text);
  EXPECT_TRUE(text.empty());
  ASSERT_EQ(text.data(), bytes) << "still the same buffer";
  for (size_t i = 0; i < length; ++i) EXPECT_EQ(bytes[i], '\0') << i;
}

TEST(SecretStringTest, TakingAShortStringOverWipesTheSource) {
  std::string source = "short";
  const char* bytes = source.data();
  const SecretString secret(std::move(source));
  EXPECT_EQ(secret.view(), "short");
  EXPECT_EQ(std::string(bytes, 5), std::string(5, '\0'));
}

TEST(SecretStringTest, CopiesAndMovesKeepTheValue) {
  const SecretString first("value");
  SecretString copy = first;
  EXPECT_EQ(copy.view(), "value");
  const SecretString moved = std::move(copy);
  EXPECT_EQ(moved.view(), "value");
  SecretString assigned("older and much longer than the new one");
  assigned = first;
  EXPECT_EQ(assigned.view(), "value");
  assigned = SecretString("newest");
  EXPECT_EQ(assigned.view(), "newest");
  EXPECT_EQ(first.view(), "value");
}

TEST(SecretStringTest, AMovedFromSecretIsEmpty) {
  SecretString source("value");
  const SecretString target = std::move(source);
  EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): that is what is tested.
}

}  // namespace
}  // namespace machine::common
