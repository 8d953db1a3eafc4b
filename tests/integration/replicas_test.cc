// Three orchestrators on one PostgreSQL database: any of them may be killed or stopped, and the
// database restarted, and each operation is still carried out once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/crypto/random.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/postgres_for_test.h"
#include "tests/integration/listener.h"
#include "tests/integration/replica.h"
#include "tests/integration/world.h"

#ifndef OPERATIONS
#define OPERATIONS 60
#endif
#ifndef LEASE_SECONDS
#define LEASE_SECONDS 3
#endif

namespace machine::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Duration kLease = absl::Seconds(LEASE_SECONDS);
constexpr absl::Duration kLimit = absl::Minutes(3);
constexpr char kDatabase[] = "machines";

// Who writes to operations, as the database sees it: whose lease it was, and which replica it is.
constexpr char kAudit[] = R"sql(
CREATE TABLE write_log (operation BIGINT, owner TEXT, replica TEXT);
CREATE FUNCTION note_update() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  INSERT INTO write_log VALUES (OLD.position, OLD.owner, current_setting('application_name'));
  RETURN NEW; END$$;
CREATE FUNCTION note_event() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  INSERT INTO write_log SELECT position, owner, current_setting('application_name')
    FROM operations WHERE position = NEW.operation;
  RETURN NEW; END$$;
CREATE TRIGGER note BEFORE UPDATE ON operations FOR EACH ROW
  WHEN (OLD.record IS DISTINCT FROM NEW.record) EXECUTE FUNCTION note_update();
CREATE TRIGGER note BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION note_event();
)sql";

class ReplicasTest : public WorldTest {
 protected:
  void SetUp() override {
    if (!orchestrator::PostgresForTest::Installed()) {
      GTEST_SKIP() << "PostgreSQL 15 is not installed";
    }
    database_ = orchestrator::PostgresForTest::Start().value();
    const std::string url = database_->Database(kDatabase).value();
    for (const char* name : {"r0", "r1", "r2"}) {
      replicas_.push_back(
          std::make_unique<Replica>(world_, name, url, absl::FormatDuration(kLease)));
    }
    for (const auto& replica : replicas_) ASSERT_TRUE(replica->Start());
    Sql(kAudit);
  }

  void TearDown() override {
    WorldTest::TearDown();
    for (const auto& replica : replicas_) {
      if (HasFailure() && replica->running()) {
        std::cout << "--- " << replica->name() << "\n" << replica->Log();
      }
    }
  }

  std::string Sql(absl::string_view sql) {
    const auto rows = database_->Run(kDatabase, sql);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.value_or("");
  }
  int Count(absl::string_view sql) {
    int count = -1;
    EXPECT_TRUE(absl::SimpleAtoi(Sql(sql), &count));
    return count;
  }

  machine::v1::CreateMachineRequest Quick(absl::string_view name) {
    machine::v1::CreateMachineRequest request;
    request.set_machine_id(std::string(name));
    request.set_request_id(common::NewUuid());
    request.mutable_machine()->set_driver("none");
    auto* const url = request.mutable_machine()->add_driver_options();
    url->set_name("url");
    url->set_string_value("tcp://127.0.0.1:1");
    return request;
  }
  // Waits for an ssh server that says nothing for so long, then fails.
  machine::v1::CreateMachineRequest Slow(absl::string_view name, absl::Duration patience) {
    machine::v1::CreateMachineRequest request = Quick(name);
    request.mutable_machine()->set_driver("generic");
    request.mutable_machine()->clear_driver_options();
    auto* const address = request.mutable_machine()->add_driver_options();
    address->set_name("generic-ip-address");
    address->set_string_value("127.0.0.1");
    auto* const port = request.mutable_machine()->add_driver_options();
    port->set_name("generic-ssh-port");
    port->set_int_value(host_.port());
    request.mutable_ssh_timeout()->set_seconds(absl::ToInt64Seconds(patience));
    return request;
  }

  // As a client does: again with the same request_id, at another replica, while one is away.
  std::string Create(const machine::v1::CreateMachineRequest& request, size_t at) {
    std::string operation;
    const bool begun = Eventually(kLimit, [&] {
      const auto answer = replicas_[at++ % replicas_.size()]->Create(request);
      if (answer.ok()) operation = answer->name();
      EXPECT_TRUE(answer.ok() || absl::IsUnavailable(answer.status()) ||
                  absl::IsNotFound(answer.status()) || absl::IsDeadlineExceeded(answer.status()))
          << answer.status();
      return answer.ok();
    });
    EXPECT_TRUE(begun) << request.machine_id();
    return operation;
  }

  // Again while it connects to its database anew.
  std::vector<machine::v1::OperationEvent> Events(size_t at, const std::string& operation) {
    absl::StatusOr<std::vector<machine::v1::OperationEvent>> events;
    EXPECT_TRUE(Eventually(kLimit, [&] {
      events = replicas_[at]->Events(operation);
      return !absl::IsUnavailable(events.status());
    }));
    EXPECT_TRUE(events.ok()) << events.status();
    return events.ok() ? *std::move(events) : std::vector<machine::v1::OperationEvent>();
  }

  std::string OwnerOf(const std::string& operation) {
    return Sql(absl::StrCat("SELECT owner FROM operations WHERE name = '", operation, "'"));
  }

  // No lease was written under by two processes.
  void ExpectNoForeignWrites() {
    EXPECT_EQ(
        Sql("SELECT owner, string_agg(DISTINCT replica, ',') FROM write_log WHERE owner <> '' "
            "GROUP BY owner HAVING count(DISTINCT replica) > 1"),
        "");
  }

  Listener host_;
  std::unique_ptr<orchestrator::PostgresForTest> database_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

TEST_F(ReplicasTest, KillsStopsAndRestartsLoseNoOperationAndRunNoneTwice) {
  std::vector<std::string> operations;
  const auto create = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const size_t n = operations.size();
      const std::string name = absl::StrCat("m", n);
      operations.push_back(Create(n % 6 == 5 ? Slow(name, kLease * 2) : Quick(name), n));
    }
  };
  constexpr int kPart = OPERATIONS / 6;
  create(kPart);
  replicas_[0]->Kill();
  create(kPart);
  ASSERT_TRUE(replicas_[0]->Start());
  create(kPart);
  // Stopped for longer than its leases last: until others have taken over what it had.
  replicas_[1]->Signal(SIGSTOP);
  create(kPart);
  EXPECT_TRUE(Eventually(kLimit, [&] {
    return Count(
               "SELECT count(*) FROM operations WHERE finish_time IS NULL AND lease_until < "
               "extract(epoch FROM clock_timestamp()) * 1000000") == 0;
  }));
  replicas_[1]->Signal(SIGCONT);
  create(kPart);
  ASSERT_TRUE(database_->Stop().ok());
  ASSERT_TRUE(database_->StartServer().ok());
  create(kPart);
  replicas_[2]->Kill();

  EXPECT_TRUE(Eventually(kLimit, [&] {
    return Count("SELECT count(*) FROM operations WHERE finish_time IS NULL") == 0;
  }));
  EXPECT_EQ(Count("SELECT count(*) FROM operations"), OPERATIONS);
  EXPECT_EQ(Count("SELECT count(*) FROM machines"), OPERATIONS);
  ExpectNoForeignWrites();
  for (const std::string& operation : operations) {
    const std::vector<machine::v1::OperationEvent> events = Events(0, operation);
    EXPECT_FALSE(events.empty());
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i].sequence(), static_cast<int64_t>(i) + 1) << operation;
      EXPECT_EQ(events[i].has_operation(), i + 1 == events.size()) << operation;
    }
  }
  // What each has in memory is what the others have.
  EXPECT_TRUE(Eventually(kLimit, [&] {
    const auto one = replicas_[0]->Machines();
    const auto two = replicas_[1]->Machines();
    return one.ok() && two.ok() && *one == *two && one->size() == OPERATIONS;
  }));
}

TEST_F(ReplicasTest, AnOperationOfAKilledOrchestratorGoesOnElsewhereInTime) {
  const std::string operation = Create(Slow("dev", absl::Minutes(10)), 0);
  const std::string owner = OwnerOf(operation);
  const absl::Time killed = absl::Now();
  replicas_[0]->Kill();
  ASSERT_TRUE(Eventually(kLimit, [&] { return OwnerOf(operation) != owner; }));
  // 45 s where a lease is 30 s.
  EXPECT_LT(absl::Now() - killed, kLease + absl::Seconds(15));
  // Cancelled through one that may not be the one that runs it.
  EXPECT_TRUE(replicas_[1]->Cancel(operation).ok());
  const std::vector<machine::v1::OperationEvent> events = Events(2, operation);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().operation().error().code(),
            static_cast<int>(absl::StatusCode::kCancelled));
  ExpectNoForeignWrites();
}

TEST_F(ReplicasTest, OneThatEndsInOrderLeavesNoLeaseBehind) {
  const std::string operation = Create(Slow("dev", absl::Minutes(10)), 0);
  const std::string owner = OwnerOf(operation);
  replicas_[0]->Stop();
  EXPECT_EQ(
      Count(absl::StrCat("SELECT count(*) FROM operations WHERE lease_until > 0 AND owner = '",
                         absl::StripAsciiWhitespace(owner), "'")),
      0);
  ASSERT_TRUE(Eventually(kLimit, [&] { return OwnerOf(operation) != owner; }));
  EXPECT_TRUE(replicas_[1]->Cancel(operation).ok());
  EXPECT_FALSE(Events(2, operation).empty());
  ExpectNoForeignWrites();
}

TEST_F(ReplicasTest, OneThatWasStoppedForLongerThanItsLeaseWritesNothingMore) {
  const std::string operation = Create(Slow("dev", absl::Minutes(10)), 0);
  const std::string owner = OwnerOf(operation);
  replicas_[0]->Signal(SIGSTOP);
  ASSERT_TRUE(Eventually(kLimit, [&] { return OwnerOf(operation) != owner; }));
  const std::string after = "SELECT count(*) FROM write_log WHERE replica = 'r0'";
  const int before = Count(after);
  const std::string taken = OwnerOf(operation);
  replicas_[0]->Signal(SIGCONT);
  EXPECT_TRUE(Eventually(kLimit, [&] {
    return replicas_[0]->Log().find("leases were not renewed in time") != std::string::npos;
  }));
  // It is a full member again.
  EXPECT_TRUE(Eventually(kLimit, [&] { return replicas_[0]->Operation(operation).ok(); }));
  EXPECT_EQ(OwnerOf(operation), taken);
  EXPECT_EQ(Count(after), before);
  const std::string next = Create(Quick("next"), 0);
  EXPECT_FALSE(Events(1, next).empty());
  EXPECT_TRUE(replicas_[0]->Cancel(operation).ok());
  EXPECT_FALSE(Events(0, operation).empty());
  ExpectNoForeignWrites();
}

TEST_F(ReplicasTest, WhileTheDatabaseIsAwayCallsSaySoAndAfterwardsOperationsGoOn) {
  const std::string operation = Create(Slow("dev", absl::Minutes(10)), 0);
  ASSERT_TRUE(database_->Stop().ok());
  absl::Status status;
  EXPECT_TRUE(Eventually(kLimit, [&] {
    status = replicas_[0]->Create(Quick("other")).status();
    return common::ReasonOf(status) == machine::v1::ERROR_REASON_STORE_UNAVAILABLE;
  })) << status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the store postgres://postgres@"));
  // What is in memory is still served.
  EXPECT_THAT(replicas_[0]->Machines().value(), SizeIs(1));
  ASSERT_TRUE(database_->StartServer().ok());
  const std::string other = Create(Quick("other"), 0);
  EXPECT_FALSE(Events(1, other).empty());
  EXPECT_TRUE(Eventually(kLimit, [&] { return replicas_[2]->Cancel(operation).ok(); }));
  EXPECT_FALSE(Events(0, operation).empty());
  ExpectNoForeignWrites();
}

TEST_F(ReplicasTest, AnotherSealingKeyIsRefused) {
  const std::string url = database_->Database(kDatabase).value();
  Replica stranger(world_, "r3", url, "3s");
  ASSERT_EQ(world_
                .RunOther({"sh", "-c",
                           absl::StrCat("echo ", std::string(64, 'b'), " > ",
                                        world_.Path("r3/server/sealing.key"))})
                .exit_code,
            0);
  const Outcome outcome =
      world_.RunOther({world_.libexec() + "/machine-orchestrator",
                       "--storage-path=" + world_.Path("r3"), "--store=" + url});
  EXPECT_EQ(outcome.exit_code, 1) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("sealing.key is another one"));
  EXPECT_THAT(outcome.err, HasSubstr("copy it from another orchestrator on this store"));
}

}  // namespace
}  // namespace machine::tests
