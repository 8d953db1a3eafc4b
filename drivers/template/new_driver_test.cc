// What the script makes of the template.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::driver {
namespace {

using testing::HasSubstr;
using testing::Not;

class NewDriverTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = absl::StrCat(testing::TempDir(), "/new_driver.XXXXXX");
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
  }

  common::RunResult Run(const std::string& name, const std::string& title) {
    const auto result = common::RunProgram({"drivers/template/new_driver.sh", name, title, root_});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : common::RunResult();
  }

  std::string root_;
};

TEST_F(NewDriverTest, MakesADriverInWhichNothingIsCalledTemplate) {
  const common::RunResult result = Run("hetzner", "Hetzner");
  ASSERT_TRUE(result.ok()) << result.stderr_data;
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("template")));
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("new_driver")));
    const auto text = common::ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_THAT(absl::AsciiStrToLower(*text), Not(HasSubstr("template"))) << entry.path();
  }
  EXPECT_GE(files, 20);
  const auto build = common::ReadFile(root_ + "/drivers/hetzner/BUILD.bazel");
  ASSERT_TRUE(build.ok()) << build.status();
  EXPECT_THAT(*build, HasSubstr("name = \"machine-driver-hetzner\""));
  EXPECT_THAT(*build, Not(HasSubstr("new_driver_test")));
  const auto settings = common::ReadFile(root_ + "/drivers/hetzner/settings.cc");
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(*settings, HasSubstr(".Env(\"HETZNER_TOKEN\")"));
  EXPECT_THAT(*settings, HasSubstr("namespace machine::driver::hetzner {"));
}

TEST_F(NewDriverTest, OverwritesNothing) {
  ASSERT_TRUE(Run("hetzner", "Hetzner").ok());
  const common::RunResult again = Run("hetzner", "Hetzner");
  EXPECT_FALSE(again.ok());
  EXPECT_THAT(again.stderr_data, HasSubstr("exists already"));
}

TEST_F(NewDriverTest, RefusesNamesThatAreNone) {
  EXPECT_THAT(Run("Hetzner", "Hetzner").stderr_data, HasSubstr("NAME \"Hetzner\""));
  EXPECT_THAT(Run("../x", "X").stderr_data, HasSubstr("NAME \"../x\""));
  EXPECT_THAT(Run("hetzner", "hetzner").stderr_data, HasSubstr("TITLE \"hetzner\""));
}

}  // namespace
}  // namespace machine::driver
