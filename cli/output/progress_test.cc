#include "cli/output/progress.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace machine::cli {
namespace {

TEST(ProgressTest, LanesComeOutOneAfterTheOther) {
  FakeConsole console;
  Progress progress(console, 3);
  progress.Out(1, "b1");
  progress.Out(0, "a1");
  progress.Out(2, "c1");
  EXPECT_EQ(console.out(), "a1\n");
  progress.Finish(2);
  progress.Finish(0);
  EXPECT_EQ(console.out(), "a1\nb1\n");
  progress.Err(1, "b2");
  progress.Finish(1);
  EXPECT_EQ(console.out(), "a1\nb1\nc1\n");
  EXPECT_EQ(console.err(), "b2\n");
}

TEST(ProgressTest, NoSpinnerWithoutATerminal) {
  FakeConsole console;
  {
    Progress progress(console, 1, {absl::ZeroDuration(), absl::ZeroDuration()});
    progress.Status(0, "[1/2] working");
  }
  EXPECT_EQ(console.out(), "");
}

TEST(ProgressTest, QuietLeavesErrorsOnly) {
  FakeConsole console;
  Progress progress(console, 1, {.quiet = true});
  progress.Out(0, "a line");
  progress.Err(0, "an error");
  EXPECT_EQ(console.out(), "");
  EXPECT_EQ(console.err(), "an error\n");
}

TEST(ProgressTest, LinesCanBeginWithLevelAndSeconds) {
  FakeConsole console;
  Progress progress(console, 1, {.elapsed = true});
  progress.Out(0, "a line");
  progress.Err(0, "an error");
  EXPECT_EQ(console.out(), "INFO[0000] a line\n");
  EXPECT_EQ(console.err(), "ERRO[0000] an error\n");
}

TEST(ProgressTest, PlainTerminalGetsNoSpinner) {
  FakeConsole console;
  console.set_terminal(true);
  {
    Progress progress(
        console, 1, {.spinner_after = absl::ZeroDuration(), .spinner_interval = {}, .plain = true});
    progress.Status(0, "[1/2] working");
  }
  EXPECT_EQ(console.out(), "");
}

TEST(ProgressTest, SpinnerOnATerminalShowsTheStepAndClearsItself) {
  FakeConsole console;
  console.set_terminal(true);
  {
    Progress progress(console, 1, {absl::ZeroDuration(), absl::Milliseconds(1)});
    progress.Status(0, "[1/2] working");
    console.AwaitOut("[1/2] working 0s");
    progress.Out(0, "a line");
    EXPECT_TRUE(absl::StrContains(console.out(), "\r\x1b[Ka line\n"));
  }
  const std::string out = console.out();
  EXPECT_TRUE(absl::EndsWith(out, "\r\x1b[K") || absl::EndsWith(out, "a line\n")) << out;
}

TEST(ProgressTest, SpinnerStaysOnOneLineOfItsTerminal) {
  FakeConsole console;
  console.set_terminal(true, /*columns=*/20);
  Progress progress(console, 1, {absl::ZeroDuration(), absl::Milliseconds(1)});
  progress.Status(0, "häuser\x1b[1m\r\n of many floors");
  // 19 of its 20 columns, whole characters, nothing that moves the cursor.
  console.AwaitOut(" häuser [1m   o ");
  progress.Status(0, "short");
  console.AwaitOut(" short ");
  EXPECT_FALSE(absl::StrContains(console.out(), "of"));
}

}  // namespace
}  // namespace machine::cli
