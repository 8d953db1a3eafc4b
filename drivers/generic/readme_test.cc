#include <gtest/gtest.h>

#include "drivers/generic/generic_driver.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::generic {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status =
      CheckReadmeFlags("drivers/generic/README.md", GenericDriver(nullptr).flags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::generic
