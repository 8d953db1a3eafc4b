#include <gtest/gtest.h>

#include "drivers/rackspace/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::rackspace {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/rackspace/README.md", RackspaceFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::rackspace
