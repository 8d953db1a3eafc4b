#include <gtest/gtest.h>

#include "drivers/sdk/readme_flags.h"
#include "drivers/vmwarevsphere/settings.h"

namespace machine::driver::vmwarevsphere {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/vmwarevsphere/README.md", VsphereFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::vmwarevsphere
