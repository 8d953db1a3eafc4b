#include <gtest/gtest.h>

#include "drivers/qemu/settings.h"
#include "drivers/sdk/readme_flags.h"

namespace machine::driver::qemu {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/qemu/README.md", QemuFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::qemu
