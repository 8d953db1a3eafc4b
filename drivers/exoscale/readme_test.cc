#include <gtest/gtest.h>

#include "drivers/exoscale/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::exoscale {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/exoscale/README.md", ExoscaleFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::exoscale
