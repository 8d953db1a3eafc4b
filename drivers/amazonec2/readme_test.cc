#include <gtest/gtest.h>

#include "drivers/amazonec2/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::amazonec2 {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/amazonec2/README.md", AmazonEc2Flags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::amazonec2
