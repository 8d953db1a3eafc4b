#include <gtest/gtest.h>

#include "drivers/sdk/readme_flags.h"
#include "drivers/virtualbox/settings.h"

namespace machine::driver::virtualbox {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/virtualbox/README.md", VirtualboxFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::virtualbox
