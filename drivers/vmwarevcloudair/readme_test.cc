#include <gtest/gtest.h>

#include "drivers/sdk/readme_flags.h"
#include "drivers/vmwarevcloudair/settings.h"

namespace machine::driver::vmwarevcloudair {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/vmwarevcloudair/README.md", VcloudFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::vmwarevcloudair
