// kill -9 of the orchestrator and of the driver at each point of each verb: the command is carried
// through all the same, and the provider's ledger agrees with the machine's record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/file/file.h"
#include "tests/crash/simcloud_world.h"

namespace machine::tests {
namespace {

constexpr absl::string_view kCreate = "create -d simcloud dev";

struct Verb {
  const char* label;
  const char* command;
  /// What the orchestrator and the driver call it in their failpoints.
  const char* step;
  const char* method;
  /// Run first, beside the create.
  const char* before;
  /// At the end: what status says; empty where there is no machine.
  const char* state;
};

struct Row {
  Verb verb;
  bool driver = false;
  std::string point;
};
void PrintTo(const Row& row, std::ostream* stream) {
  *stream << (row.driver ? row.verb.method : row.verb.step) << "." << row.point;
}

std::vector<Row> AllRows() {
  const Verb kVerbs[] = {
      {"Create", kCreate.data(), "create.driver_create", "Create", "", "Running"},
      {"Start", "start dev", "start.driver_start", "Start", "stop dev", "Running"},
      {"Stop", "stop dev", "stop.driver_stop", "Stop", "", "Stopped"},
      {"Kill", "kill dev", "kill.driver_kill", "Kill", "", "Stopped"},
      {"Restart", "restart dev", "restart.driver_restart", "Restart", "", "Running"},
      {"Remove", "rm -y dev", "delete.driver_remove", "Remove", "", ""},
  };
  std::vector<Row> rows;
  for (const Verb& verb : kVerbs) {
    for (const bool driver : {false, true}) {
      for (const char* const point : {"before_effect", "after_effect", "after_commit"}) {
        rows.push_back({verb, driver, point});
      }
    }
  }
  return rows;
}

class KillMatrixTest : public SimCloudWorldTest, public testing::WithParamInterface<Row> {};

TEST_P(KillMatrixTest, CommandIsCarriedThrough) {
  const Verb& verb = GetParam().verb;
  StartProvider(/*seed=*/1);
  cloud_->Behave({{"lag_ms", 50}});
  if (verb.command != kCreate) {
    ASSERT_EQ(Run(kCreate).exit_code, 0);
  }
  if (*verb.before != '\0') {
    ASSERT_EQ(Run(verb.before).exit_code, 0);
  }
  ASSERT_TRUE(world_.StopOrchestrator());

  // Removed by the process that dies of it, which may be started again with the same environment.
  const std::string armed = world_.Path("armed");
  ASSERT_TRUE(common::WriteFileAtomically(armed, "", 0600).ok());
  const std::string point =
      absl::StrCat(GetParam().driver ? absl::StrCat("driver.", verb.method) : verb.step, ".",
                   GetParam().point, "@", armed);
  ASSERT_EQ(world_.Run("ls", {{"MACHINE_FAILPOINTS", point}}).exit_code, 0);

  const Outcome outcome = Run(verb.command);
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
  EXPECT_TRUE(Eventually(absl::Seconds(10), [&] { return !std::filesystem::exists(armed); }))
      << "the failpoint was not reached";
  const std::string state = verb.state;
  EXPECT_EQ(StateInLedger(), state);
  EXPECT_EQ(Run("ls -q").out, state.empty() ? "" : "dev\n");
  // What nobody has looked at yet is looked at now.
  if (!state.empty()) {
    EXPECT_EQ(Run("status dev").out, state + "\n");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, KillMatrixTest, testing::ValuesIn(AllRows()),
    [](const testing::TestParamInfo<Row>& info) {
      const std::string point = absl::StrReplaceAll(info.param.point, {{"_", ""}});
      return absl::StrCat(info.param.verb.label, info.param.driver ? "Driver" : "Orchestrator",
                          point);
    });

// ---- What cannot be carried through is undone as asked

class UndoTest : public SimCloudWorldTest {};

TEST_F(UndoTest, CreateThatEndsHalfwayIsRolledBackThoughItsOrchestratorIsKilled) {
  StartProvider(/*seed=*/2);
  ASSERT_EQ(Run("ls").exit_code, 0);
  // Never active: the create waits in its last part until it is cancelled.
  cloud_->Behave({{"latency_ms", 1'000'000}});
  RunningCommand create = world_.Begin("create -d simcloud --on-failure=rollback dev");
  ASSERT_TRUE(
      Eventually(absl::Minutes(1), [&] { return cloud_->Objects("instances").size() == 1; }));
  world_.SignalAll("machine-orchestrator", SIGKILL);
  ASSERT_EQ(Run("ls -q").out, "dev\n");
  create.Signal(SIGINT);
  EXPECT_EQ(create.Wait().exit_code, 1);
  EXPECT_TRUE(cloud_->Objects().empty()) << cloud_->Ledger().dump();
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(UndoTest, RemovalOfWhatIsGoneAtTheProviderIsSuccess) {
  StartProvider(/*seed=*/3);
  ASSERT_EQ(Run(kCreate).exit_code, 0);
  cloud_->DeleteByHand(cloud_->Objects("instances").at(0).at("id"));
  const Outcome removed = Run("rm -y dev");
  EXPECT_EQ(removed.exit_code, 0) << removed;
  EXPECT_TRUE(cloud_->Objects().empty()) << cloud_->Ledger().dump();
}

}  // namespace
}  // namespace machine::tests
