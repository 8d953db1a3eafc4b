#include "services/common/failpoint/failpoints.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"

namespace machine::common {
namespace {

TEST(FailpointsTest, EndsTheProcessAtAnArmedPointOnly) {
  const Failpoints failpoints("a.b.before_effect,c.d.after_effect");
  failpoints.Pass("a", "b", "after_effect");
  EXPECT_EXIT(failpoints.Pass("a", "b", "before_effect"), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(failpoints.Pass("c", "d", "after_effect"), testing::KilledBySignal(SIGKILL), "");
}

TEST(FailpointsTest, WithAFileEndsTheProcessOnce) {
  const std::string file = absl::StrCat(testing::TempDir(), "/failpoint.", getpid());
  const Failpoints failpoints(absl::StrCat("a.b.before_effect@", file));
  failpoints.Pass("a", "b", "before_effect");
  ASSERT_TRUE(WriteFileAtomically(file, "", 0600).ok());
  EXPECT_EXIT(failpoints.Pass("a", "b", "before_effect"), testing::KilledBySignal(SIGKILL), "");
  EXPECT_NE(access(file.c_str(), F_OK), 0);
  failpoints.Pass("a", "b", "before_effect");
}

}  // namespace
}  // namespace machine::common
