#include <gtest/gtest.h>

#include "drivers/azure/flags.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::azure {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/azure/README.md", AzureFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::azure
