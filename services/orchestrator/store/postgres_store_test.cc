// What only a PostgresStore has: other processes on the same database, and a database that goes
// away.
#include "services/orchestrator/store/postgres_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/postgres_for_test.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLimit = absl::Minutes(1);
constexpr char kDatabase[] = "it's \xc3\xa4 store";

class PostgresStoreTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (PostgresForTest::Installed()) server_ = PostgresForTest::Start().value().release();
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    database_ = testing::UnitTest::GetInstance()->current_test_info()->name();
    url_ = server_->Database(database_).value();
  }

  std::unique_ptr<PostgresStore> Open() {
    auto store = PostgresStore::Open(PostgresAddress::Parse(url_).value(),
                                     SharedLeaseTimes(absl::Seconds(30)));
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  std::string Sql(absl::string_view sql) { return server_->Run(database_, sql).value(); }

  static absl::Status Insert(Store& store, absl::string_view name) {
    return store.WriteAndWait([&](StoreTransaction& t) { return InsertWholeMachine(t, name); });
  }
  static absl::Status Check(Store& store, absl::string_view name) {
    return store.Read([&](StoreReader& reader) { return CheckWholeMachine(reader, name); });
  }

  static PostgresForTest* server_;
  std::string database_;
  std::string url_;
};

PostgresForTest* PostgresStoreTest::server_ = nullptr;

// What a listener has heard: names of machines, in order.
class Heard {
 public:
  explicit Heard(Store& store) {
    store.SetListener([this](const StoreChanges& changes) {
      absl::MutexLock lock(&mu_);
      if (changes.missed) names_.push_back("missed");
      for (const auto& change : changes.machines) {
        names_.push_back(
            absl::StrCat(change.record.machine().name(), change.removed ? " removed" : ""));
      }
      for (const auto& event : changes.events) {
        names_.push_back(absl::StrCat(event.operation, "#", event.event.sequence()));
      }
      for (const auto& name : changes.cancels) names_.push_back(absl::StrCat("cancel ", name));
      for (const auto& name : changes.drivers) names_.push_back(absl::StrCat("driver ", name));
    });
  }

  // Once there are so many.
  std::vector<std::string> Await(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&]() { return names_.size() >= count; };
    mu_.AwaitWithTimeout(absl::Condition(&enough), kLimit);
    return names_;
  }

 private:
  absl::Mutex mu_;
  std::vector<std::string> names_ ABSL_GUARDED_BY(mu_);
};

// For what the database reaches by itself and tells nobody; every question is a round trip to it.
bool Eventually(const std::function<bool()>& condition) {
  for (const absl::Time deadline = absl::Now() + kLimit; absl::Now() < deadline;) {
    if (condition()) return true;
  }
  return false;
}

TEST_F(PostgresStoreTest, SeveralThatOpenAnEmptyDatabaseAtOnceAgree) {
  std::vector<std::string> ids(4);
  std::vector<std::thread> threads;
  for (std::string& id : ids) threads.emplace_back([&] { id = Open()->orchestrator_id(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ids, testing::Each(ids[0]));
  EXPECT_THAT(ids[0], SizeIs(36));
}

TEST_F(PostgresStoreTest, ANewerSchemaIsRefused) {
  Open();
  Sql("UPDATE schema_version SET version = 99");
  const absl::Status status =
      PostgresStore::Open(PostgresAddress::Parse(url_).value(), {}).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STATE_TOO_NEW);
}

TEST_F(PostgresStoreTest, AServerThatIsNotThereIsNamed) {
  const absl::Status status =
      PostgresStore::Open(PostgresAddress::Parse("postgres://me@127.0.0.1:1/m").value(), {})
          .status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STORE_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("postgres://me@127.0.0.1:1/m"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("refused"));
}

TEST_F(PostgresStoreTest, EachListenerHearsTheChangesOfAllInOneOrderAndOnce) {
  const auto one = Open();
  const auto two = Open();
  Heard heard_one(*one);
  Heard heard_two(*two);
  constexpr int kEach = 20;
  std::thread other([&] {
    for (int i = 0; i < kEach; ++i) EXPECT_TRUE(Insert(*two, absl::StrCat("b", i)).ok());
  });
  for (int i = 0; i < kEach; ++i) EXPECT_TRUE(Insert(*one, absl::StrCat("a", i)).ok());
  other.join();
  ASSERT_TRUE(one->WriteAndWait([](StoreTransaction& t) -> absl::Status {
                   DriverRecord driver;
                   driver.set_name("far");
                   DM_RETURN_IF_ERROR(t.PutDriver(driver));
                   DM_RETURN_IF_ERROR(t.RequestCancel("operations/b0-create"));
                   return t.DeleteMachine("uid-a0");
                 })
                  .ok());
  // A machine and two events each.
  const size_t all = 2 * kEach * 3 + 3;
  const std::vector<std::string> first = heard_one.Await(all);
  EXPECT_THAT(first, SizeIs(all));
  EXPECT_EQ(heard_two.Await(all), first);
  EXPECT_THAT(std::vector<std::string>(first.end() - 3, first.end()),
              ElementsAre("machines/a0 removed", "cancel operations/b0-create", "driver far"));
}

TEST_F(PostgresStoreTest, OneThatOpensLaterHearsOnlyWhatComesThen) {
  const auto one = Open();
  ASSERT_TRUE(Insert(*one, "before").ok());
  const auto two = Open();
  Heard heard(*two);
  ASSERT_TRUE(Insert(*one, "after").ok());
  EXPECT_THAT(heard.Await(3), ElementsAre("machines/after", "operations/after-create#1",
                                          "operations/after-create#2"));
}

TEST_F(PostgresStoreTest, OneThatWasAwayForTooLongIsTold) {
  const auto two = Open();
  ASSERT_TRUE(Insert(*Open(), "m1").ok());
  ASSERT_TRUE(Insert(*Open(), "m2").ok());
  Sql("DELETE FROM changes");
  Heard heard(*two);
  EXPECT_THAT(heard.Await(1), ElementsAre("missed"));
}

TEST_F(PostgresStoreTest, ALeaseRunsOutByTheClockOfTheDatabaseAndNotBefore) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Insert(*one, "dev").ok());
  // The end of the lease is brought near by the same clock that judges it.
  const char move[] =
      "UPDATE operations SET lease_until = "
      "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT + ";
  Sql(absl::StrCat(move, 60'000'000));
  EXPECT_THAT(two->ClaimOperations("two", 10).value(), IsEmpty());
  Sql(absl::StrCat(move, -1));
  const std::vector<OperationRecord> claimed = two->ClaimOperations("two", 10).value();
  ASSERT_THAT(claimed, SizeIs(1));
  EXPECT_EQ(claimed[0].epoch(), 2);
  EXPECT_EQ(common::ReasonOf(one->RenewLeases("owner")), machine::v1::ERROR_REASON_LEASE_LOST);
}

TEST_F(PostgresStoreTest, ReleasedLeasesAreFreeAtOnce) {
  const auto one = Open();
  const auto two = Open();
  ASSERT_TRUE(Insert(*one, "dev").ok());
  EXPECT_THAT(two->ClaimOperations("two", 10).value(), IsEmpty());
  ASSERT_TRUE(one->ReleaseLeases("owner").ok());
  EXPECT_THAT(two->ClaimOperations("two", 10).value(), SizeIs(1));
}

TEST_F(PostgresStoreTest, ARoleIsOneProcesss) {
  const auto one = Open();
  const auto two = Open();
  EXPECT_TRUE(one->TakeRole("refresh").value());
  EXPECT_TRUE(one->TakeRole("refresh").value());
  EXPECT_FALSE(two->TakeRole("refresh").value());
  EXPECT_TRUE(two->TakeRole("other").value());
  Sql("UPDATE roles SET lease_until = 0");
  EXPECT_TRUE(two->TakeRole("refresh").value());
  EXPECT_FALSE(one->TakeRole("refresh").value());
}

TEST_F(PostgresStoreTest, AnObservationIsToldToAll) {
  const auto one = Open();
  const auto two = Open();
  absl::Notification told;
  two->SetListener([&](const StoreChanges& changes) {
    EXPECT_EQ(changes.observed_us, 1'700'000'000'000'001);
    told.Notify();
  });
  one->TellObserved(1'700'000'000'000'001);
  EXPECT_TRUE(told.WaitForNotificationWithTimeout(kLimit));
}

TEST_F(PostgresStoreTest, ARestartOfTheDatabaseLosesNothingAndIsToldMeanwhile) {
  const auto store = Open();
  Heard heard(*store);
  ASSERT_TRUE(Insert(*store, "before").ok());
  ASSERT_TRUE(server_->Stop().ok());
  const absl::Status down = Insert(*store, "lost");
  EXPECT_EQ(down.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(common::ReasonOf(down), machine::v1::ERROR_REASON_STORE_UNAVAILABLE) << down;
  EXPECT_EQ(common::ReasonOf(Check(*store, "before")), machine::v1::ERROR_REASON_STORE_UNAVAILABLE);
  ASSERT_TRUE(server_->StartServer().ok());
  ASSERT_TRUE(Eventually([&] { return Insert(*store, "after").ok(); }));
  EXPECT_TRUE(Check(*store, "before").ok());
  EXPECT_TRUE(Check(*store, "after").ok());
  EXPECT_TRUE(absl::IsNotFound(Check(*store, "lost")));
  EXPECT_THAT(heard.Await(6), SizeIs(6));
}

TEST_F(PostgresStoreTest, AConnectionThatIsLostInATransactionLosesThatAlone) {
  const auto store = Open();
  const absl::Status status = store->WriteAndWait([&](StoreTransaction& t) -> absl::Status {
    DM_RETURN_IF_ERROR(InsertWholeMachine(t, "dev"));
    Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'machine-orchestrator'");
    return t.PutSecret("a", "b", "c");
  });
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STORE_UNAVAILABLE) << status;
  EXPECT_TRUE(Insert(*store, "next").ok());
  EXPECT_TRUE(absl::IsNotFound(Check(*store, "dev")));
}

TEST_F(PostgresStoreTest, ACommitThatEndedTheConnectionIsReportedAsFailed) {
  const auto store = Open();
  Sql("CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
      "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END$$; "
      "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON drivers DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION die()");
  DriverRecord driver;
  driver.set_name("far");
  const absl::Status status =
      store->WriteAndWait([&](StoreTransaction& t) { return t.PutDriver(driver); });
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STORE_UNAVAILABLE) << status;
  EXPECT_EQ(Sql("SELECT count(*) FROM drivers"), "0\n");
  EXPECT_TRUE(Insert(*store, "next").ok());
}

// A commit that is durable and waits for a standby that does not exist, when its connection ends.
TEST_F(PostgresStoreTest, ACommitWhoseAnswerWasLostIsFoundOutToHaveHappened) {
  const auto store = Open();
  Heard heard(*store);
  Sql("ALTER SYSTEM SET synchronous_standby_names = 'none'");
  Sql("SELECT pg_reload_conf()");
  ASSERT_TRUE(Eventually([&] { return Sql("SHOW synchronous_standby_names") == "none\n"; }));
  absl::Notification done;
  absl::Status result;
  store->Write([](StoreTransaction& t) { return InsertWholeMachine(t, "dev"); },
               [&](absl::Status status) {
                 result = std::move(status);
                 done.Notify();
               });
  ASSERT_TRUE(Eventually([&] {
    return Sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1\n";
  }));
  Sql("SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names");
  Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  Sql("SELECT pg_reload_conf()");
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kLimit));
  EXPECT_TRUE(result.ok()) << result;
  EXPECT_TRUE(Check(*store, "dev").ok());
  EXPECT_THAT(heard.Await(3), SizeIs(3));
}

TEST_F(PostgresStoreTest, TextThatNoDatabaseKeepsIsRefused) {
  const auto store = Open();
  const absl::Status status = store->WriteAndWait(
      [](StoreTransaction& t) { return t.PutSecret("uid", std::string("a\0b", 3), "x"); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(Insert(*store, "next").ok());
}

TEST_F(PostgresStoreTest, TheDatabaseMayHaveAnyName) {
  ASSERT_TRUE(server_->Run("postgres", absl::StrCat("CREATE DATABASE \"", kDatabase, "\"")).ok());
  url_.replace(url_.find(database_), database_.size(), "it%27s%20%C3%A4%20store");
  EXPECT_TRUE(Insert(*Open(), "dev").ok());
}

}  // namespace
}  // namespace machine::orchestrator
