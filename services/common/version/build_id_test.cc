#include "services/common/version/build_id.h"

#include <gtest/gtest.h>

namespace machine::common {
namespace {

TEST(BuildIdTest, IsSevenDigits) {
  const std::string id = BuildId();
  ASSERT_EQ(id.size(), 7U) << id;
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
}

}  // namespace
}  // namespace machine::common
