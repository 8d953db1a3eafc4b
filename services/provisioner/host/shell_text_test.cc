#include "services/provisioner/host/shell_text.h"

#include <gtest/gtest.h>

#include <string>

namespace machine::provisioner {
namespace {

TEST(ShellVariableTest, IsAnAssignmentOnALineOfItsOwn) {
  EXPECT_EQ(ShellVariable("url", "https://x/?a='b'"), "url='https://x/?a='\\''b'\\'''\n");
}

TEST(PrintableTextTest, KeepsTextAndReplacesWhatIsNot) {
  EXPECT_EQ(PrintableText("two\nlines"), "two\nlines");
  EXPECT_EQ(PrintableText("tab\there\r\n"), "tab here\n");
  EXPECT_EQ(PrintableText("Größe €"), "Größe €");
  EXPECT_EQ(PrintableText("\x1b[31mred"), "[31mred");
  EXPECT_EQ(PrintableText("bad \xff\xc3 end"), "bad ?? end");
  EXPECT_EQ(PrintableText("\xc0\xaf"), "??");         // Overlong "/".
  EXPECT_EQ(PrintableText("\xed\xa0\x80"), "???");    // A surrogate.
  EXPECT_EQ(PrintableText("0123456789", 4), "6789");  // The end is where the error stands.
}

}  // namespace
}  // namespace machine::provisioner
