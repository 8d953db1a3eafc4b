#include "services/common/crypto/digest.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace machine::common {
namespace {

TEST(DigestTest, Sha256MatchesThePublishedVectors) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(absl::BytesToHexString(Sha256("abc")), Sha256Hex("abc"));
}

struct HmacCase {
  absl::string_view label;
  std::string key, data;
  absl::string_view mac;
};
class HmacTest : public testing::TestWithParam<HmacCase> {};
TEST_P(HmacTest, MatchesRfc4231) {
  EXPECT_EQ(absl::BytesToHexString(HmacSha256(GetParam().key, GetParam().data)), GetParam().mac);
}
INSTANTIATE_TEST_SUITE_P(Vectors, HmacTest,
                         testing::ValuesIn<HmacCase>({
                             {"ShortKey", "Jefe", "what do ya want for nothing?",
                              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
                             {"KeyLongerThanABlock", std::string(131, '\xaa'),
                              "Test Using Larger Than Block-Size Key - Hash Key First",
                              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
                             {"NothingAtAll", "", "",
                              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(DigestTest, ComparisonSeesEveryDifference) {
  EXPECT_TRUE(ConstantTimeEqual("cookie", "cookie"));
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_FALSE(ConstantTimeEqual("cookie", "cookif"));
  EXPECT_FALSE(ConstantTimeEqual("cookie", "cooki"));
  EXPECT_FALSE(ConstantTimeEqual("", "c"));
}

}  // namespace
}  // namespace machine::common
