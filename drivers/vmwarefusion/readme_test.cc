#include <gtest/gtest.h>

#include "drivers/sdk/readme_flags.h"
#include "drivers/vmwarefusion/settings.h"

namespace machine::driver::vmwarefusion {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/vmwarefusion/README.md", FusionFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::vmwarefusion
