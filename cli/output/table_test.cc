#include "cli/output/table.h"

#include <gtest/gtest.h>

namespace machine::cli {
namespace {

TEST(AlignColumnsTest, LooksAsTheOriginalsList) {
  EXPECT_EQ(
      AlignColumns("NAME\tACTIVE\tDRIVER\tSTATE\tURL\tSWARM\tDOCKER\tERRORS\n"
                   "dev\t-\tvirtualbox\tRunning\ttcp://192.168.99.100:2376\t\tv20.10.24\t\n"),
      "NAME   ACTIVE   DRIVER       STATE     URL                         SWARM   DOCKER      "
      "ERRORS\n"
      "dev    -        virtualbox   Running   tcp://192.168.99.100:2376           v20.10.24   "
      "\n");
}

TEST(AlignColumnsTest, ColumnsAreAtLeastFiveWide) {
  EXPECT_EQ(AlignColumns("a\tb\n\tc\n"), "a    b\n     c\n");
}

TEST(AlignColumnsTest, TextAfterTheLastTabDoesNotWidenAColumn) {
  EXPECT_EQ(AlignColumns("a\tvery long\nb\tx\ty\n"), "a    very long\nb    x    y\n");
}

TEST(AlignColumnsTest, WidthCountsCharacters) {
  EXPECT_EQ(AlignColumns("müß\tx\nabc\ty\n"), "müß   x\nabc   y\n");
}

TEST(AlignColumnsTest, KeepsAMissingLineEnd) { EXPECT_EQ(AlignColumns("a\tb"), "a    b"); }

}  // namespace
}  // namespace machine::cli
