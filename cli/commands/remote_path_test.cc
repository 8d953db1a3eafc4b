#include "cli/commands/remote_path.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

struct PathCase {
  absl::string_view label, text, machine, user, path, again;
};
class RemotePathTest : public testing::TestWithParam<PathCase> {};
TEST_P(RemotePathTest, IsReadAndHandedOn) {
  const PathCase& c = GetParam();
  const auto parsed = ParseRemotePath(c.text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->machine, c.machine);
  EXPECT_EQ(parsed->user, c.user);
  EXPECT_EQ(parsed->path, c.path);
  EXPECT_EQ(parsed->ToString(), c.again);
}
INSTANTIATE_TEST_SUITE_P(Paths, RemotePathTest,
                         testing::ValuesIn<PathCase>({
                             {"OfThisHost", "a/b", "", "", "a/b", "a/b"},
                             {"OfAMachine", "dev:/a b", "dev", "", "/a b", "dev:/a b"},
                             {"HomeOfAMachine", "dev:", "dev", "", "", "dev:"},
                             {"WithAUser", "root@dev:x", "dev", "root", "x", "root@dev:x"},
                             {"UserWithAnAtSign", "a@b@dev:x", "dev", "a@b", "x", "a@b@dev:x"},
                             {"LocalhostIsThisHost", "localhost:/x", "", "", "/x", "/x"},
                             {"ColonAfterASlashIsAName", "./a:b:c", "", "", "./a:b:c", "././a:b:c"},
                             {"AbsoluteNameWithAColon", "/t/a:b", "", "", "/t/a:b", "/t/a:b"},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

TEST(RemotePathTest, TwoColonsAndNoMachineAreMalformed) {
  for (const char* text : {"a:b:c", ":x", "root@:x"}) {
    EXPECT_EQ(ParseRemotePath(text).status().message(), "The input was malformed") << text;
  }
}

}  // namespace
}  // namespace machine::cli
