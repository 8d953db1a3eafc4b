#include <gtest/gtest.h>

#include "drivers/sdk/readme_flags.h"
#include "drivers/softlayer/settings.h"

namespace machine::driver::softlayer {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/softlayer/README.md", SoftLayerFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::softlayer
