// What a create, a removal or a user has left half-way is gone on with, or found and removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/common/file/file.h"
#include "tests/crash/simcloud_world.h"

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr absl::Duration kLimit = absl::Minutes(1);

class ResumeTest : public SimCloudWorldTest {
 protected:
  void SetUp() override {
    StartProvider(/*seed=*/4);
    ASSERT_EQ(Run("ls").exit_code, 0);
  }

  int64_t InstancesEverMade() {
    return cloud_->Ledger().at("created").at("instances").get<int64_t>();
  }

  // A create that has made its instance, which does not become active.
  RunningCommand BeginEndlessCreate(const std::string& flags) {
    cloud_->Behave({{"latency_ms", 1'000'000}});
    RunningCommand create = world_.Begin("create -d simcloud " + flags + " dev");
    EXPECT_TRUE(Eventually(kLimit, [&] { return cloud_->Objects("instances").size() == 1; }));
    EXPECT_TRUE(
        Eventually(kLimit, [&] { return Run("ls -q --filter state=Creating").out == "dev\n"; }));
    return create;
  }

  void LetItBecomeActive() { cloud_->Behave({{"latency_ms", 0}}); }

  void FailACreateAndKeepWhatItMade() {
    RunningCommand create = BeginEndlessCreate("--on-failure=keep");
    create.Signal(SIGINT);
    EXPECT_EQ(create.Wait().exit_code, 1);
    LetItBecomeActive();
    EXPECT_EQ(Run("status dev").out, "Error\n");
  }

  // As a store that was restored from a backup of before: the machine is not known.
  void ForgetTheRecordOf(const std::string& name) {
    ASSERT_TRUE(world_.StopOrchestrator());
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((world_.server_dir() + "/store.db").c_str(), &db), SQLITE_OK);
    const std::string sql = absl::StrCat("DELETE FROM machines WHERE name = '", name, "'");
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_EQ(sqlite3_changes(db), 1);
    sqlite3_close(db);
  }

  size_t TimesLookedForOrphans() const {
    const std::string log = common::ReadFile(world_.server_dir() + "/server.log").value_or("");
    return std::vector<std::string>(absl::StrSplit(log, "\"looking for orphans\"")).size() - 1;
  }

  std::string driver() const { return world_.libexec() + "/machine-driver-simcloud"; }
};

TEST_F(ResumeTest, TheSameCreateGoesOnWithWhatAFailedOneMade) {
  FailACreateAndKeepWhatItMade();
  const std::string id = cloud_->Objects("instances").at(0).at("id");
  const Outcome again = Run("create -d simcloud dev");
  EXPECT_EQ(again.exit_code, 0) << again;
  EXPECT_THAT(again.out, HasSubstr("Going on with the create of \"dev\""));
  EXPECT_EQ(StateInLedger(), "Running");
  EXPECT_EQ(cloud_->Objects("instances").at(0).at("id"), id);
  EXPECT_EQ(InstancesEverMade(), 1);
}

TEST_F(ResumeTest, ACreateThatWasResumedAndFailsIsRolledBackAsAsked) {
  FailACreateAndKeepWhatItMade();
  RunningCommand create = BeginEndlessCreate("--on-failure=rollback");
  create.Signal(SIGINT);
  EXPECT_EQ(create.Wait().exit_code, 1);
  EXPECT_EQ(StateInLedger(), "");
  EXPECT_EQ(Run("ls -q").out, "");
}

TEST_F(ResumeTest, ACreateOfAnotherMachineOfThatNameIsRefused) {
  FailACreateAndKeepWhatItMade();
  const Outcome other = Run("create -d simcloud --simcloud-size=large dev");
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("Docker machine \"dev\" already exists"));
  EXPECT_EQ(Run("status dev").out, "Error\n");
}

TEST_F(ResumeTest, AMachineThatIsCompleteIsNotCreatedAgain) {
  ASSERT_EQ(Run("create -d simcloud dev").exit_code, 0);
  const Outcome again = Run("create -d simcloud dev");
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("Docker machine \"dev\" already exists"));
  EXPECT_EQ(InstancesEverMade(), 1);
}

TEST_F(ResumeTest, TheSameCreateFollowsOneWhoseCommandWasKilled) {
  RunningCommand first = BeginEndlessCreate("");
  first.Signal(SIGKILL);
  first.Wait();
  // Not in the moment in which the first one was asked for: that might be two at once.
  const absl::Time begun = absl::Now();
  ASSERT_TRUE(Eventually(absl::Minutes(1), [&] { return absl::Now() > begun + absl::Seconds(3); }));
  RunningCommand second = world_.Begin("create -d simcloud dev");
  world_.SignalAll("machine-orchestrator", SIGKILL);
  LetItBecomeActive();
  const Outcome followed = second.Wait();
  EXPECT_EQ(followed.exit_code, 0) << followed;
  EXPECT_EQ(StateInLedger(), "Running");
  EXPECT_EQ(InstancesEverMade(), 1);
}

TEST_F(ResumeTest, RemovalByForceFromAProviderThatIsDownGoesOnUntilTheInstanceIsGone) {
  ASSERT_EQ(Run("create -d simcloud dev").exit_code, 0);
  cloud_->Behave({{"down", true}});
  const Outcome removed = Run("rm -f dev");
  EXPECT_THAT(removed.out, HasSubstr("goes on trying to remove it"));
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_EQ(StateInLedger(), "Running");
  world_.SignalAll("machine-orchestrator", SIGKILL);
  // The name is free meanwhile, and what is made under it is another instance.
  cloud_->Behave({{"down", false}});
  ASSERT_EQ(Run("create -d simcloud dev").exit_code, 0);
  EXPECT_TRUE(Eventually(kLimit, [&] { return cloud_->Objects().size() == kObjectsOfMachine; }));
  EXPECT_EQ(StateInLedger(), "Running");
  EXPECT_EQ(Run("status dev").out, "Running\n");
}

TEST_F(ResumeTest, RemovalByForceWithoutTheDriverIsGoneOnWithWhenTheDriverIsBack) {
  ASSERT_EQ(Run("create -d simcloud dev").exit_code, 0);
  ASSERT_TRUE(world_.StopOrchestrator());
  fs::rename(driver(), driver() + ".away");
  Run("rm -f dev");
  EXPECT_EQ(Run("ls -q").out, "");
  EXPECT_EQ(StateInLedger(), "Running");
  fs::rename(driver() + ".away", driver());
  const Outcome collected = Run("gc -d simcloud");
  EXPECT_EQ(collected.exit_code, 0) << collected;
  EXPECT_TRUE(Eventually(kLimit, [&] { return cloud_->Objects().empty(); }));
}

TEST_F(ResumeTest, AnInstanceThatNoMachineKnowsIsFoundAndRemoved) {
  ASSERT_EQ(Run("create -d simcloud kept").exit_code, 0);
  ASSERT_EQ(Run("create -d simcloud lost").exit_code, 0);
  ForgetTheRecordOf("lost");
  const Outcome dry = Run("gc --dry-run");
  EXPECT_EQ(dry.exit_code, 0) << dry;
  EXPECT_THAT(dry.out, HasSubstr("orphan"));
  EXPECT_EQ(cloud_->Objects("instances").size(), 2U);
  const Outcome collected = Run("gc");
  EXPECT_EQ(collected.exit_code, 0) << collected;
  EXPECT_THAT(collected.out, HasSubstr("removed"));
  EXPECT_EQ(StateInLedger(), "Running");
  EXPECT_EQ(Run("status kept").out, "Running\n");
  EXPECT_EQ(Run("gc").out, "There are no orphans.\n");
}

TEST_F(ResumeTest, OrphansAreCollectedByTheNextOrchestratorWhenTheirsEnds) {
  // Names the account to look in.
  ASSERT_EQ(Run("create -d simcloud kept").exit_code, 0);
  ASSERT_EQ(Run("create -d simcloud lost").exit_code, 0);
  ForgetTheRecordOf("lost");
  for (const auto& [line, outcome] :
       {std::pair{"gc --dry-run", "orphan"}, std::pair{"gc", "removed"}}) {
    ASSERT_EQ(Run("gc --dry-run").exit_code, 0);
    // The provider's driver says nothing until its orchestrator has ended it.
    ASSERT_EQ(world_.SignalAll("machine-driver-simcloud", SIGSTOP), 1U);
    const size_t looked = TimesLookedForOrphans();
    RunningCommand collect = world_.Begin(line);
    ASSERT_TRUE(Eventually(kLimit, [&] { return TimesLookedForOrphans() > looked; }));
    ASSERT_EQ(world_.SignalAll("machine-orchestrator", SIGTERM), 1U);
    const Outcome collected = collect.Wait();
    EXPECT_EQ(collected.exit_code, 0) << line << "\n" << collected;
    EXPECT_THAT(collected.out, HasSubstr(outcome));
  }
  EXPECT_EQ(StateInLedger(), "Running");
}

TEST_F(ResumeTest, OfOneCredentialOnlyItsAccountIsLookedAt) {
  fs::create_directories(world_.Path("team"));
  fakes::SimCloudProcess team(world_.Path("team"), /*seed=*/5);
  const Outcome kept = Run("credential add team -d simcloud --simcloud-endpoint=" + team.url());
  ASSERT_EQ(kept.exit_code, 0) << kept;
  ASSERT_EQ(Run("create -d simcloud own").exit_code, 0);
  const Outcome made = Run("create -d simcloud --credential team shared");
  ASSERT_EQ(made.exit_code, 0) << made;
  ASSERT_EQ(team.Objects("instances").size(), 1U) << "the credential's account was not used";
  ForgetTheRecordOf("own");
  ForgetTheRecordOf("shared");
  const Outcome collected = Run("gc -d simcloud --credential team");
  EXPECT_EQ(collected.exit_code, 0) << collected;
  EXPECT_THAT(collected.out, HasSubstr("removed"));
  EXPECT_TRUE(team.Objects().empty()) << team.Ledger().dump();
  EXPECT_EQ(StateInLedger(), "Running") << "another account was touched";
  EXPECT_EQ(Run("gc -d simcloud --credential team").out, "There are no orphans.\n");
}

TEST_F(ResumeTest, AnInstanceWhoseMachineIsBeingMadeIsNoOrphan) {
  RunningCommand create = BeginEndlessCreate("");
  EXPECT_EQ(Run("gc -d simcloud").out, "There are no orphans.\n");
  EXPECT_EQ(cloud_->Objects("instances").size(), 1U);
  LetItBecomeActive();
  EXPECT_EQ(create.Wait().exit_code, 0);
}

}  // namespace
}  // namespace machine::tests
