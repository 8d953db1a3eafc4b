#include <gtest/gtest.h>

#include "drivers/hyper-v/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::hyperv {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/hyper-v/README.md", HypervFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::hyperv
