#include <gtest/gtest.h>

#include "drivers/sdk/readme_flags.h"
#include "drivers/template/settings.h"

namespace machine::driver::template_cloud {
namespace {

TEST(ReadmeTest, HasTheFlags) {
  const absl::Status status = CheckReadmeFlags("drivers/template/README.md", TemplateFlags());
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace machine::driver::template_cloud
