#include "services/common/rpc/tracing.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace machine::common {
namespace {

struct Header {
  const char* label;
  const char* text;
  const char* id;
};
class TraceparentTest : public testing::TestWithParam<Header> {};
TEST_P(TraceparentTest, IdIsTakenFromAWellFormedHeader) {
  EXPECT_EQ(TraceIdOf(GetParam().text), GetParam().id);
}
INSTANTIATE_TEST_SUITE_P(
    Headers, TraceparentTest,
    testing::ValuesIn<Header>({
        {"Good", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
         "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"LaterVersion", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
         "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"ForbiddenVersion", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
        {"Zero", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""},
        {"UpperCase", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""},
        {"Short", "00-4bf92f3577b34da6a3ce929d0e0e4736", ""},
        {"Quotes", "00-4bf92f3577b34da6a3ce929d0e0e47\"6-00f067aa0ba902b7-01", ""},
        {"Empty", "", ""},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST(TraceIdTest, ANewOneIsOneThatAHeaderMayCarry) {
  const std::string id = NewTraceId();
  EXPECT_EQ(TraceIdOf(absl::StrCat("00-", id, "-00f067aa0ba902b7-01")), id);
  EXPECT_NE(NewTraceId(), id);
}

}  // namespace
}  // namespace machine::common
