#include <gtest/gtest.h>

#include "drivers/google/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::gce {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/google/README.md", GoogleFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::gce
