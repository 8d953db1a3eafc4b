#include <gtest/gtest.h>

#include "drivers/openstack/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::openstack {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/openstack/README.md", OpenStackFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::openstack
