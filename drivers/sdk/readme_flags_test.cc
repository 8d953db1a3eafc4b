#include "drivers/sdk/readme_flags.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"

namespace machine::driver {
namespace {

Flags SomeFlags() {
  return Flags()
      .String("x-token")
      .Usage("Token of the account")
      .Env("X_TOKEN")
      .Env("X_KEY")
      .Secret()
      .Required()
      .Int("x-disk")
      .Usage("Disk | size")
      .Unit("GiB")
      .Default(int64_t{20})
      .Alias("x-disk-size")
      .Bool("x-ipv6")
      .Usage("Give it an IPv6 address")
      .StringList("x-tag")
      .Usage("Tag")
      .DeprecatedBy("labels");
}

constexpr char kTable[] =
    "| flag | environment | default | |\n"
    "| --- | --- | --- | --- |\n"
    "| `--x-token` | `X_TOKEN`, `X_KEY` | **required** | Token of the account |\n"
    "| `--x-disk`, `--x-disk-size` |  | `20` | Disk \\| size (GiB) |\n"
    "| `--x-ipv6` |  | `false` | Give it an IPv6 address |\n"
    "| `--x-tag` |  |  | Tag; may be repeated; retired: labels |\n";

class ReadmeFlagsTest : public testing::Test {
 protected:
  void TearDown() override { unlink(path_.c_str()); }

  absl::Status Check(absl::string_view text) {
    EXPECT_TRUE(common::WriteFileAtomically(path_, text, 0600).ok());
    return CheckReadmeFlags(path_, SomeFlags());
  }

  const std::string path_ = absl::StrCat(testing::TempDir(), "/readme.", getpid());
};

TEST_F(ReadmeFlagsTest, DescribesEveryFlag) { EXPECT_EQ(FlagsTable(SomeFlags()), kTable); }

TEST_F(ReadmeFlagsTest, AcceptsATableInStep) {
  const absl::Status status =
      Check(absl::StrCat("# x\n<!-- flags -->\n", kTable, "<!-- end of flags -->\nmore\n"));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ReadmeFlagsTest, RefusesAnOldTableAndShowsTheNewOne) {
  const absl::Status status = Check("<!-- flags -->\n| old |\n<!-- end of flags -->\n");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(status.message()).find(kTable), std::string::npos) << status;
}

TEST_F(ReadmeFlagsTest, RefusesAReadmeWithoutTheMarks) {
  EXPECT_EQ(Check("# x\n").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReadmeFlagsTest, RunByBazelRunItRewritesTheTable) {
  ASSERT_TRUE(common::WriteFileAtomically(
                  path_, "a\n<!-- flags -->\n| old |\n<!-- end of flags -->\nb\n", 0600)
                  .ok());
  const size_t slash = path_.rfind('/');
  setenv("BUILD_WORKSPACE_DIRECTORY", path_.substr(0, slash).c_str(), 1);
  const absl::Status status = CheckReadmeFlags(path_.substr(slash + 1), SomeFlags());
  unsetenv("BUILD_WORKSPACE_DIRECTORY");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(common::ReadFile(path_).value_or(""),
            absl::StrCat("a\n<!-- flags -->\n", kTable, "<!-- end of flags -->\nb\n"));
}

}  // namespace
}  // namespace machine::driver
