#include "services/common/crypto/random.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/ascii.h"

namespace machine::common {
namespace {

TEST(RandomTest, GivesAsManyBytesAsAskedFor) {
  for (const size_t count : {0, 1, 16, 1000}) EXPECT_EQ(RandomBytes(count).size(), count);
}

TEST(RandomTest, UuidsAreVersionFourAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = NewUuid();
    ASSERT_EQ(uuid.size(), 36u) << uuid;
    for (size_t at = 0; at < uuid.size(); ++at) {
      const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      ASSERT_TRUE(dash ? uuid[at] == '-'
                       : absl::ascii_isxdigit(uuid[at]) && !absl::ascii_isupper(uuid[at]))
          << uuid;
    }
    ASSERT_EQ(uuid[14], '4') << uuid;
    ASSERT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
    ASSERT_TRUE(seen.insert(uuid).second) << uuid;
  }
}

}  // namespace
}  // namespace machine::common
