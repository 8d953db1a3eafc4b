#include "cli/output/time_text.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

TEST(TimeTextTest, IsInUtcAndWithoutFractions) {
  google::protobuf::Timestamp time;
  time.set_seconds(1'767'323'045);
  time.set_nanos(999'000'000);
  EXPECT_EQ(IsoTime(time), "2026-01-02T03:04:05Z");
  EXPECT_EQ(TimeText(time), "2026-01-02 03:04:05");
}

TEST(TimeTextTest, ATimeThatIsNotSetIsNone) {
  EXPECT_EQ(IsoTime({}), "");
  EXPECT_EQ(TimeText({}), "never");
}

}  // namespace
}  // namespace machine::cli
