#include "drivers/sdk/cloud/host_files.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"

namespace machine::driver {
namespace {

TEST(HostFilesTest, AnIniFileIsRead) {
  const auto sections = ParseSections(
      "; a comment\n[softlayer]\nUsername = SL1 # me\n  api_key=a#b\r\nnonsense\n\n[other]\nx =\n");
  ASSERT_EQ(sections.size(), 3u);
  EXPECT_TRUE(sections[0].values.empty());
  EXPECT_EQ(sections[1].name, "softlayer");
  EXPECT_EQ(sections[1].Get("username"), "SL1");
  EXPECT_EQ(sections[1].Get("api_key"), "a#b");
  EXPECT_EQ(sections[1].Get("nonsense"), "");
  EXPECT_EQ(sections[2].Get("x"), "");
}

TEST(HostFilesTest, ATomlFileOfAccountsIsRead) {
  const auto sections = ParseSections(
      "defaultAccount = \"b\"\n\n[[accounts]]\n  name = 'a'\n  secret = \"x # y\" # z\n"
      "[[ accounts ]]\n  name = \"b\"\n  secret = \"open\n");
  ASSERT_EQ(sections.size(), 3u);
  EXPECT_EQ(sections[0].Get("defaultaccount"), "b");
  EXPECT_EQ(sections[1].name, "accounts");
  EXPECT_EQ(sections[1].Get("name"), "a");
  EXPECT_EQ(sections[1].Get("secret"), "x # y");
  EXPECT_EQ(sections[2].name, "accounts");
  EXPECT_EQ(sections[2].Get("secret"), "\"open");
}

TEST(HostFilesTest, AFileThatIsNotThereHasNoSections) {
  const std::string path = absl::StrCat(testing::TempDir(), "/host-files");
  auto read = ReadSections(absl::StrCat(path, "-absent"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->empty());
  ASSERT_TRUE(common::WriteFileAtomically(path, "[a]\nb = c\n", 0600).ok());
  read = ReadSections(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->back().Get("b"), "c");
  EXPECT_FALSE(ReadSections(testing::TempDir()).ok());
}

TEST(HostFilesTest, GarbageIsNoSection) {
  for (const char* const text : {"", "[", "]", "[[", "=", "[a", "\0"}) {
    EXPECT_FALSE(ParseSections(text).empty());
  }
}

}  // namespace
}  // namespace machine::driver
