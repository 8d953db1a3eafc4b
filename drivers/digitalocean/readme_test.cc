#include <gtest/gtest.h>

#include "drivers/digitalocean/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::digitalocean {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status =
      CheckReadmeFlags("drivers/digitalocean/README.md", DigitalOceanFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::digitalocean
