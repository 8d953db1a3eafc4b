#include "drivers/sdk/conformance/cloud_suite.h"

#include <gmock/gmock.h>

#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/rpc/call_scope.h"
#include "services/common/status/status.h"

namespace machine::driver {

using fakes::Fault;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<FaultRow> CommonFaults(const FaultRoutes& routes) {
  using Kind = Fault::Kind;
  const std::string& create = routes.create;
  std::vector<FaultRow> rows = {
      {"ThrottledCreate", {.kind = Kind::kThrottle, .route = create}},
      {"ThrottledEverywhere", {.kind = Kind::kThrottle, .times = 3}},
      {"Create500", {.kind = Kind::kStatus, .route = create}},
      {"Create502", {.kind = Kind::kStatus, .route = create, .status = 502}},
      {"Create500ButMade", {.kind = Kind::kStatusAfterEffect, .route = create}},
      {"Create500ButMadeAndUnseen", {.kind = Kind::kStatusAfterEffect, .route = create}, 4},
      {"LostReply", {.kind = Kind::kLoseReply, .route = create}},
      {"LostReplyAndUnseen", {.kind = Kind::kLoseReply, .route = create}, 4},
      {"GarbageCreate", {.kind = Kind::kGarbage, .route = create}},
  };
  if (!routes.list.empty()) {
    rows.push_back({"GarbageList", {.kind = Kind::kGarbage, .route = routes.list}});
    rows.push_back({"List500", {.kind = Kind::kStatus, .route = routes.list, .times = 2}});
  }
  if (!routes.poll.empty()) {
    rows.push_back({"PollsFail", {.kind = Kind::kStatus, .route = routes.poll, .times = 7}});
  }
  if (!routes.read.empty()) {
    rows.push_back({"UnseenForAWhile", {.kind = Kind::kGarbage, .route = routes.read}, 5});
  }
  return rows;
}

std::vector<FaultRow> CommonRemoveFaults(const std::string& remove, const std::string& list,
                                         int before) {
  using Kind = Fault::Kind;
  return {
      {"LostReply", {.kind = Kind::kLoseReply, .route = remove, .after = before}},
      {"RemovedBut500", {.kind = Kind::kStatusAfterEffect, .route = remove, .after = before}},
      {"Throttled", {.kind = Kind::kThrottle, .route = remove, .after = before, .times = 2}},
      {"GarbageList", {.kind = Kind::kGarbage, .route = list}},
  };
}

std::string LabelOf(const StateRow& row) {
  std::string label = absl::StrCat("Is", row.word, row.detail);
  std::erase_if(label, [](char c) { return !absl::ascii_isalnum(static_cast<unsigned char>(c)); });
  return label;
}

namespace {

// Retried as the orchestrator does with errors that may pass.
absl::Status RemovePatiently(CloudUnderTest& cloud, const MachineSpec& machine) {
  absl::Status removed = cloud.driver().Remove(*cloud.Call(), machine);
  for (int i = 0; i < 3 && IsTransient(removed); ++i) {
    removed = cloud.driver().Remove(*cloud.Call(), machine);
  }
  return removed;
}

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

TEST_P(CloudFaultTest, EndsWithOneInstanceAndThenNone) {
  cloud_->SetLag(row_.lag);
  cloud_->server().Order(row_.fault);
  MachineSpec machine = cloud_->Machine(cloud_->PartsToFail());
  const absl::StatusOr<Observation> made = cloud_->CreatePatiently(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(cloud_->server().pending_faults(), 0);
  EXPECT_EQ(cloud_->Instances().size(), 1u);
  EXPECT_EQ(made->state(), machine::v1::MACHINE_STATE_RUNNING);
  cloud_->ExpectMade(*made);
  const absl::Status removed = cloud_->driver().Remove(*cloud_->Call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  cloud_->ExpectNothingLeft();
}

TEST_P(CloudRemoveFaultTest, LeavesNothing) {
  MachineSpec machine = cloud_->Machine(cloud_->PartsToFail());
  ASSERT_TRUE(cloud_->Create(machine).ok());
  cloud_->SetLag(row_.lag);
  cloud_->server().Order(row_.fault);
  const absl::Status removed = RemovePatiently(*cloud_, machine);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(cloud_->server().pending_faults(), 0);
  cloud_->ExpectNothingLeft();
}

TEST_P(CloudStateTest, IsOurs) { EXPECT_EQ(cloud_->StateOf(row_.word, row_.detail), row_.state); }

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CloudImportTest);  // Not every one was there before.
TEST_P(CloudImportTest, SaysThatThereIsNoInstance) {
  MachineSpec machine = cloud_->Machine();
  machine.state_version = kImportedStateVersion;
  machine.state = row_.fields;
  EXPECT_EQ(cloud_->driver().UpgradeState(*cloud_->Call(), machine).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_P(CloudTest, ACreateKilledAfterItsRequestIsAdopted) {
  MachineSpec machine = cloud_->Machine();
  fakes::FakeServer& server = cloud_->server();
  if (facts_.killed.reply_lost) {
    server.Order({.kind = Fault::Kind::kLoseReply, .route = facts_.create});
  }
  // The process dies: the call ends in the middle of what follows, and the instance lags.
  cloud_->SetLag(facts_.killed.lag);
  server.Order(
      {.kind = Fault::Kind::kHold, .route = facts_.killed.route, .after = facts_.killed.after});
  auto cancellation = std::make_shared<common::Cancellation>();
  std::thread killer([&] {
    while (server.CountOf(facts_.killed.route) <= facts_.killed.after) std::this_thread::yield();
    cancellation->Cancel();
  });
  const auto call = MakeCall(kTestUid, cloud_->record, absl::Minutes(2), cancellation);
  EXPECT_TRUE(absl::IsCancelled(driver_.Create(*call, machine).status()));
  killer.join();
  server.Release();
  ASSERT_THAT(cloud_->record.checkpoints, Not(IsEmpty()));
  // Where the last checkpoint got lost, too, the first one has to do.
  machine.state = facts_.killed.first_checkpoint ? cloud_->record.checkpoints.front()
                                                 : cloud_->record.checkpoints.back();
  const auto made = cloud_->Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  if (facts_.creates_after_kill > 0) {
    EXPECT_EQ(server.CountOf(facts_.create), facts_.creates_after_kill);
  }
  EXPECT_EQ(cloud_->Instances().size(), 1u);
  EXPECT_TRUE(driver_.Remove(*cloud_->Call(), machine).ok());
  cloud_->ExpectNothingLeft();
}

TEST_P(CloudTest, AnInstanceThatWasMadeTwiceIsKeptOnce) {
  if (!facts_.may_make_twice) return;  // The provider sees to it, or a name that is taken does.
  cloud_->server().Order({.kind = Fault::Kind::kLoseReply, .route = facts_.create});
  cloud_->SetLag(8);  // For longer than the driver looks.
  MachineSpec machine = cloud_->Machine();
  const auto made = cloud_->Create(machine);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(cloud_->server().CountOf(facts_.create), 2);
  cloud_->SetLag(0);
  // The first one shows at last; whoever comes next puts it in order.
  while (cloud_->Instances().size() > 1) ASSERT_TRUE(cloud_->Create(machine).ok());
  EXPECT_EQ(cloud_->Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_TRUE(driver_.Remove(*cloud_->Call(), machine).ok());
  cloud_->ExpectNothingLeft();
}

TEST_P(CloudTest, RemoveWithoutStateFindsEverythingByUid) {
  MachineSpec machine = cloud_->Machine(cloud_->PartsToFail());
  ASSERT_TRUE(cloud_->Create(machine).ok());
  machine.state.reset();
  EXPECT_TRUE(driver_.Remove(*cloud_->Call(), machine).ok());
  cloud_->ExpectNothingLeft();
  EXPECT_TRUE(driver_.Remove(*cloud_->Call(), machine).ok());
}

TEST_P(CloudTest, PowerIsAGoalHoweverOftenAnswersAreLost) {
  MachineSpec machine = cloud_->Machine();
  ASSERT_TRUE(cloud_->Create(machine).ok());
  const auto order = [&](Fault::Kind kind, const std::string& route) {
    cloud_->server().Order({.kind = kind, .route = route, .after = facts_.before_power});
  };
  for (const Fault::Kind kind :
       {Fault::Kind::kLoseReply, Fault::Kind::kStatus, Fault::Kind::kStatusAfterEffect,
        Fault::Kind::kThrottle, Fault::Kind::kGarbage}) {
    SCOPED_TRACE(static_cast<int>(kind));
    order(kind, facts_.stop);
    const auto stopped = driver_.Stop(*cloud_->Call(), machine, std::nullopt);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state(), machine::v1::MACHINE_STATE_STOPPED);
    EXPECT_EQ(stopped->endpoint().docker_url(), "");
    order(kind, facts_.start);
    const auto started = driver_.Start(*cloud_->Call(), machine);
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_EQ(started->state(), machine::v1::MACHINE_STATE_RUNNING);
    EXPECT_NE(started->endpoint().docker_url(), "");
    if (!facts_.restart_meets_faults) continue;
    order(kind, facts_.start);
    const auto restarted = driver_.Restart(*cloud_->Call(), machine);
    ASSERT_TRUE(restarted.ok()) << restarted.status();
  }
}

TEST_P(CloudTest, AGuestThatDoesNotShutDownIsNotKilled) {
  MachineSpec machine = cloud_->Machine();
  ASSERT_TRUE(cloud_->Create(machine).ok());
  cloud_->HoldShutdown(true);
  const auto stopped = driver_.Stop(*cloud_->Call(), machine, absl::Milliseconds(50));
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kDeadlineExceeded) << stopped.status();
  EXPECT_EQ(common::ReasonOf(stopped.status()), machine::v1::ERROR_REASON_STEP_TIMEOUT);
  EXPECT_THAT(MessageOf(stopped.status()), HasSubstr(facts_.stop_advice));
  EXPECT_EQ(cloud_->Inspect(machine), facts_.while_stopping);
  if (facts_.kill_asks_the_guest) cloud_->HoldShutdown(false);
  EXPECT_TRUE(driver_.Kill(*cloud_->Call(), machine).ok());
  EXPECT_EQ(cloud_->Inspect(machine), machine::v1::MACHINE_STATE_STOPPED);
  EXPECT_TRUE(driver_.Restart(*cloud_->Call(), machine).ok());
  EXPECT_EQ(cloud_->Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
}

TEST_P(CloudTest, TheLimitOfTheAccountIsAQuota) {
  cloud_->ReachLimit();
  MachineSpec machine = cloud_->Machine();
  const absl::Status refused = cloud_->Create(machine).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_EQ(common::ReasonOf(refused), machine::v1::ERROR_REASON_PROVIDER_QUOTA) << refused;
  EXPECT_TRUE(driver_.Remove(*cloud_->Call(), machine).ok());
  cloud_->ExpectNothingLeft();
}

TEST_P(CloudTest, WrongCredentialsAreNamedAndNotShown) {
  const absl::Status status = cloud_->PreCreateCheck({facts_.wrong_credentials});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  for (const std::string& words : facts_.refusal) EXPECT_THAT(MessageOf(status), HasSubstr(words));
  EXPECT_THAT(MessageOf(status), Not(HasSubstr(facts_.wrong_credentials.secret_value())));
}

TEST_P(CloudTest, AProviderThatIsDownFailsTheCheck) {
  for (const std::string& route : facts_.check_reads) {
    cloud_->server().Order(
        {.kind = Fault::Kind::kStatus, .route = route, .times = 5, .status = 503});
    const absl::Status status = cloud_->PreCreateCheck({});
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
    EXPECT_EQ(cloud_->server().pending_faults(), 0) << route;
  }
}

TEST_P(CloudTest, BatchInspectReadsEachAccountOnce) {
  const int count = facts_.batch.machines;
  cloud_->AddInstances(count);
  std::vector<MachineSpec> machines(count, cloud_->Machine());
  for (int i = 0; i < count; ++i) cloud_->BeOfBatch(i, machines[i]);
  machines.push_back(cloud_->Machine({}, "unknown"));
  if (facts_.batch.signs_in) {
    ASSERT_TRUE(driver_.BatchInspect(*cloud_->Call(), {machines[0]}).ok());
  }
  cloud_->server().ForgetRequests();
  const auto seen = driver_.BatchInspect(*cloud_->Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  ASSERT_EQ(seen->size(), machines.size());
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ((*seen)[i].state(), machine::v1::MACHINE_STATE_RUNNING) << i;
    cloud_->ExpectInBatch((*seen)[i]);
  }
  EXPECT_EQ(seen->back().state(), machine::v1::MACHINE_STATE_NOT_FOUND);
  // All pages once, and another look for the one that is missing.
  EXPECT_EQ(cloud_->server().CountOf(""), facts_.batch.requests);
  if (!facts_.batch.list.empty()) {
    EXPECT_EQ(cloud_->server().CountOf(facts_.batch.list), facts_.batch.lists);
  }
}

TEST_P(CloudTest, ASilentAccountDelaysNoOther) {
  MachineSpec machine = cloud_->Machine();
  ASSERT_TRUE(cloud_->Create(machine).ok());
  const std::vector<MachineSpec> machines = {machine,
                                             cloud_->Machine({facts_.wrong_credentials}, "other")};
  const auto seen = driver_.BatchInspect(*cloud_->Call(), machines);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ((*seen)[0].state(), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ((*seen)[1].state(), machine::v1::MACHINE_STATE_TIMEOUT);
}

TEST_P(CloudTest, ListsWhatAnOrchestratorMade) {
  MachineSpec machine = cloud_->Machine();
  ASSERT_TRUE(cloud_->Create(machine).ok());
  cloud_->AddInstances(2);
  const auto listed = driver_.ListInstances(*cloud_->Call(), kTestOrchestrator, machine.options);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(listed->front().machine_uid(), kTestUid);
  EXPECT_EQ(listed->front().observation().state(), machine::v1::MACHINE_STATE_RUNNING);
  const auto others = driver_.ListInstances(*cloud_->Call(), "another", machine.options);
  ASSERT_TRUE(others.ok()) << others.status();
  EXPECT_THAT(*others, IsEmpty());
}

TEST_P(CloudTest, EveryRequestFitsThePublishedDescription) {
  if (!cloud_->Checked()) GTEST_SKIP() << "MACHINE_SPECS_DIR has no description of this provider";
  // The fake fails the test at the first request that does not fit.
  MachineSpec machine = cloud_->Machine(cloud_->PartsToFail());
  EXPECT_TRUE(driver_.PreCreateCheck(*cloud_->Call(), machine).ok());
  ASSERT_TRUE(cloud_->Create(machine).ok());
  EXPECT_TRUE(driver_.Stop(*cloud_->Call(), machine, std::nullopt).ok());
  EXPECT_TRUE(driver_.Restart(*cloud_->Call(), machine).ok());
  EXPECT_TRUE(driver_.Kill(*cloud_->Call(), machine).ok());
  EXPECT_TRUE(driver_.ListInstances(*cloud_->Call(), kTestOrchestrator, machine.options).ok());
  EXPECT_TRUE(driver_.Remove(*cloud_->Call(), machine).ok());
  EXPECT_GT(cloud_->server().CountOf(""), facts_.requests_of_a_life);
}

}  // namespace machine::driver
