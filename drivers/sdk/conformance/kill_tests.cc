#include "drivers/sdk/conformance/kill_tests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace machine::driver::conformance {
namespace {

using ::testing::IsEmpty;

// More than any driver makes; one that needs more is not tested to the end.
constexpr int kMostCalls = 100;

std::string Uid(int kind, int number) {
  return absl::StrFormat("2d5f7ad8-3a2f-4f6e-9d51-00000%02d%05d", kind, number);
}

// A new driver finishes what the last one has begun, and removes it.
void ExpectFinished(DriverUnderTest& driver, const KillWorld& world, const std::string& uid) {
  driver.Start();
  EXPECT_LE(world.running(uid), 1U);
  const absl::Status again = driver.Create(uid, 2);
  EXPECT_TRUE(again.ok()) << again;
  EXPECT_EQ(world.running(uid), 1U);
}

void ExpectRemoved(const DriverUnderTest& driver, const KillWorld& world, const std::string& uid) {
  const absl::Status removed = driver.Remove(uid, 4);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(world.running(uid), 0U);
  EXPECT_THAT(world.left(uid), IsEmpty());
}

}  // namespace

void ExpectKillsBetweenEventsAreMended(DriverUnderTest& driver, const KillWorld& world,
                                       int events) {
  for (int event = 1; event <= events; ++event) {
    SCOPED_TRACE(absl::StrCat("killed after event ", event));
    const std::string uid = Uid(1, event);
    driver.Start();
    // It may have been done by the time the signal comes; that is right, too.
    driver.Create(uid, 1, event).IgnoreError();
    driver.Kill();  // Where it had fewer events; until it is waited for, its pid stays its own.
    ExpectFinished(driver, world, uid);
    ExpectRemoved(driver, world, uid);
  }
}

void ExpectKillsAroundEffectsAreMended(DriverUnderTest& driver, const KillWorld& world) {
  const std::string uid = Uid(2, 1);
  for (const char* const point : {"before_effect", "after_effect", "after_commit"}) {
    SCOPED_TRACE(point);
    setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.Create.", point).c_str(), 1);
    driver.Start();
    EXPECT_FALSE(driver.Create(uid, 1).ok() && std::string(point) != "after_commit");
    setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.Remove.", point).c_str(), 1);
    ExpectFinished(driver, world, uid);
    driver.Remove(uid, 3).IgnoreError();  // Its end is the point of it.
    unsetenv("MACHINE_FAILPOINTS");
    driver.Start();
    ExpectRemoved(driver, world, uid);
  }
}

void ExpectKillsInPowerAreMended(DriverUnderTest& driver, const KillWorld& world) {
  using Verb = DriverUnderTest::Verb;
  struct Row {
    const char* method;
    std::optional<Verb> verb;  // None for a remove.
    bool runs_before;
    bool runs_after;
  };
  const Row rows[] = {{"Stop", Verb::kStop, true, false},
                      {"Start", Verb::kStart, false, true},
                      {"Kill", Verb::kKill, true, false},
                      {"Restart", Verb::kRestart, true, true},
                      {"Remove", std::nullopt, true, false}};
  const std::string uid = Uid(4, 1);
  int token = 0;
  // What the killed driver has begun may come to its end meanwhile: a guest that shuts down, a
  // program that goes to the background and is two for a moment.
  const auto expect_what_there_is = [&] {
    for (int look = 1;; ++look) {
      const size_t running = world.running(uid);
      const auto state = driver.StateOf(uid);
      const bool agree =
          running <= 1 && (state == machine::v1::MACHINE_STATE_RUNNING) == (running == 1);
      if (!agree && look < kMostCalls) continue;
      EXPECT_TRUE(agree) << running << " run, the driver says " << state;
      return running;
    }
  };
  for (const Row& row : rows) {
    for (const char* const point :
         {"first event", "second event", "before_effect", "after_effect", "after_commit"}) {
      const int event = absl::string_view(point) == "first event"    ? 1
                        : absl::string_view(point) == "second event" ? 2
                                                                     : 0;
      // Only a restart has a middle: the machine is off, and not on again.
      if (event == 2 && row.verb != Verb::kRestart) continue;
      SCOPED_TRACE(absl::StrCat(row.method, ": ", point));
      driver.Start();
      absl::Status status = driver.Create(uid, ++token);
      EXPECT_TRUE(status.ok()) << status;
      status = driver.Power(row.runs_before ? Verb::kStart : Verb::kKill, uid, ++token);
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(world.running(uid), row.runs_before ? 1U : 0U);

      const auto act = [&](std::optional<int> kill_after) {
        return row.verb.has_value() ? driver.Power(*row.verb, uid, ++token, kill_after)
                                    : driver.Remove(uid, ++token, kill_after);
      };
      if (event != 0) {
        act(event).IgnoreError();  // It may have been done by the time the signal comes.
        driver.Kill();             // Until it is waited for, its pid stays its own.
      } else {
        setenv("MACHINE_FAILPOINTS", absl::StrCat("driver.", row.method, ".", point).c_str(), 1);
        driver.Start();
        unsetenv("MACHINE_FAILPOINTS");
        status = act(std::nullopt);
        EXPECT_FALSE(status.ok() && absl::string_view(point) != "after_commit") << "not killed";
      }
      driver.Start();
      const size_t running = expect_what_there_is();
      if (absl::string_view(point) == "before_effect") {
        EXPECT_EQ(running, row.runs_before ? 1U : 0U);
      } else if (event == 0) {
        EXPECT_EQ(running, row.runs_after ? 1U : 0U);
      }
      status = act(std::nullopt);
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(expect_what_there_is(), row.runs_after ? 1U : 0U);
      if (!row.verb.has_value()) {
        EXPECT_THAT(world.left(uid), IsEmpty());
      }
      if (testing::Test::HasFailure()) return;
    }
  }
}

void ExpectKillsAtToolCallsAreMended(DriverUnderTest& driver, const KillWorld& world,
                                     const fakes::KillOrder& order) {
  bool create_ended = false;
  bool remove_ended = false;
  for (int call = 1; !create_ended || !remove_ended; ++call) {
    ASSERT_LE(call, kMostCalls);
    // Either way the tool does its work; before, while the next driver may begin already.
    const bool after = call % 2 == 0;
    SCOPED_TRACE(absl::StrCat("killed ", after ? "after" : "before", " call ", call));
    const fakes::KillSide side =
        after ? fakes::KillSide::kAfterEffect : fakes::KillSide::kBeforeEffect;
    const std::string uid = Uid(3, call);
    if (!create_ended) {
      driver.Start();
      order.Arm(call, side);
      const absl::Status made = driver.Create(uid, 1);
      create_ended = order.Disarm();
      EXPECT_EQ(made.ok(), create_ended) << made;
      // Some are finished, some are removed as they are.
      if (call % 4 < 2) ExpectFinished(driver, world, uid);
      driver.Start();
      ExpectRemoved(driver, world, uid);
    }
    if (!remove_ended) {
      ExpectFinished(driver, world, uid);
      order.Arm(call, side);
      const absl::Status removed = driver.Remove(uid, 3);
      remove_ended = order.Disarm();
      EXPECT_EQ(removed.ok(), remove_ended) << removed;
      driver.Start();
      ExpectRemoved(driver, world, uid);
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace machine::driver::conformance
