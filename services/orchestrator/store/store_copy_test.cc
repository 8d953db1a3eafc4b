#include "services/orchestrator/store/store_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/postgres_for_test.h"
#include "services/orchestrator/store/postgres_store.h"
#include "services/orchestrator/store/sqlite_connection.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;

// Every column of every row, but for the sequence of SQLite's own counter.
std::string Contents(const std::string& path) {
  const auto db = SqliteConnection::Open(path).value();
  std::string text;
  for (const auto& [table, columns] : {std::pair<const char*, int>{"orchestrator", 1},
                                       {"machines", 5},
                                       {"operations", 11},
                                       {"events", 3},
                                       {"requests", 5},
                                       {"secrets", 3},
                                       {"certificates", 2},
                                       {"drivers", 2},
                                       {"tombstones", 3},
                                       {"credentials", 2}}) {
    absl::StrAppend(&text, "\n", table, "\n");
    SqlStatement row = db->Query(absl::StrCat("SELECT * FROM ", table, " ORDER BY 1")).value();
    while (row.Step().value()) {
      for (int column = 0; column < columns; ++column) {
        absl::StrAppend(&text, row.Bytes(column), "|");
      }
      text += "\n";
    }
  }
  return text;
}

absl::Status Fill(Store& store) {
  return store.WriteAndWait([](StoreTransaction& t) -> absl::Status {
    for (int i = 0; i < 30; ++i) {
      const std::string name = absl::StrCat("o'neil-", i);
      DM_RETURN_IF_ERROR(InsertWholeMachine(t, name));
      if (i % 2 == 0) continue;
      DM_ASSIGN_OR_RETURN(auto operation, t.FindOperation(TestOperation(name, "create").name()));
      operation->mutable_result()->set_done(true);
      DM_RETURN_IF_ERROR(t.UpdateOperation(*operation));
    }
    DM_RETURN_IF_ERROR(t.PutSecret("uid", "bytes", absl::string_view("a\0\xff'", 4)));
    DM_RETURN_IF_ERROR(t.PutSecret("uid", "empty", ""));
    CertificateRecord certificate;
    certificate.set_name("ca");
    DM_RETURN_IF_ERROR(t.PutCertificate(certificate));
    DriverRecord driver;
    driver.set_name("far");
    DM_RETURN_IF_ERROR(t.PutDriver(driver));
    CredentialRecord credential;
    credential.mutable_credential()->set_name("credentials/cloud");
    DM_RETURN_IF_ERROR(t.PutCredential(credential));
    DM_RETURN_IF_ERROR(t.InsertMachine(TestMachine("buried")));
    TombstoneRecord tombstone;
    *tombstone.mutable_machine() = TestMachine("buried");
    tombstone.set_next_attempt_us(7);
    return t.BuryMachine(tombstone);
  });
}

class StoreCopyTest : public testing::Test {
 protected:
  void SetUp() override {
    auto store = SqliteStore::Open(path_);
    ASSERT_TRUE(store.ok() && Fill(**store).ok());
  }

  const std::string folder_ = NewTestFolder();
  const std::string path_ = folder_ + "/store.db";
  const std::string backup_ = folder_ + "/it's a backup";
};

TEST_F(StoreCopyTest, ABackupOfAStoreInUseIsThatStore) {
  {
    const auto in_use = SqliteStore::Open(path_).value();
    const absl::Status status = BackUpFile(path_, backup_);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(
        in_use->WriteAndWait([](StoreTransaction& t) { return t.PutSecret("uid", "later", "x"); })
            .ok());
  }
  struct stat info = {};
  ASSERT_EQ(stat(backup_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_NE(Contents(backup_), Contents(path_));
  const std::string restored = folder_ + "/restored.db";
  ASSERT_TRUE(RestoreFile(backup_, restored).ok());
  EXPECT_EQ(Contents(restored), Contents(backup_));
  EXPECT_TRUE(SqliteStore::Open(restored).ok());
  for (const char* left : {".part", ".part-wal", ".part-journal", ".part.lock"}) {
    EXPECT_NE(access((backup_ + left).c_str(), F_OK), 0) << left;
  }
}

TEST_F(StoreCopyTest, NothingIsOverwritten) {
  ASSERT_TRUE(common::WriteFileAtomically(backup_, "precious", 0600).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(BackUpFile(path_, backup_)));
  EXPECT_EQ(*common::ReadFile(backup_), "precious");
  EXPECT_TRUE(absl::IsAlreadyExists(RestoreFile(path_, path_)));
}

TEST_F(StoreCopyTest, ABackupThatIsNoneIsRefused) {
  EXPECT_TRUE(absl::IsNotFound(RestoreFile(folder_ + "/none", folder_ + "/new.db")));
  ASSERT_TRUE(common::WriteFileAtomically(backup_, std::string(9000, 'x'), 0600).ok());
  const absl::Status status = RestoreFile(backup_, folder_ + "/new.db");
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STORE_CORRUPT) << status;
  EXPECT_NE(access((folder_ + "/new.db").c_str(), F_OK), 0);
}

TEST_F(StoreCopyTest, AStoreInUseIsNotRestoredOver) {
  ASSERT_TRUE(BackUpFile(path_, backup_).ok());
  const auto in_use = SqliteStore::Open(path_).value();
  EXPECT_EQ(RestoreFile(backup_, path_).code(), absl::StatusCode::kFailedPrecondition);
}

class DatabaseCopyTest : public StoreCopyTest {
 protected:
  static void SetUpTestSuite() {
    if (PostgresForTest::Installed()) server_ = PostgresForTest::Start().value().release();
  }
  static void TearDownTestSuite() { delete server_; }

  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    StoreCopyTest::SetUp();
    database_ = PostgresAddress::Parse(
        server_->Database(testing::UnitTest::GetInstance()->current_test_info()->name()).value());
  }

  static PostgresForTest* server_;
  absl::StatusOr<PostgresAddress> database_;
};

PostgresForTest* DatabaseCopyTest::server_ = nullptr;

TEST_F(DatabaseCopyTest, ThereAndBackAgainNothingHasChanged) {
  const absl::Status there = CopyToDatabase(path_, *database_);
  ASSERT_TRUE(there.ok()) << there;
  const absl::Status back = BackUpDatabase(*database_, backup_);
  ASSERT_TRUE(back.ok()) << back;
  EXPECT_EQ(Contents(backup_), Contents(path_));
}

TEST_F(DatabaseCopyTest, TheDatabaseGoesOnWhereTheFileEnded) {
  ASSERT_TRUE(CopyToDatabase(path_, *database_).ok());
  const auto store = PostgresStore::Open(*database_, SharedLeaseTimes(absl::Seconds(30))).value();
  EXPECT_EQ(store->orchestrator_id(), SqliteStore::Open(path_).value()->orchestrator_id());
  const absl::Status status = store->WriteAndWait([](StoreTransaction& t) -> absl::Status {
    for (int i = 0; i < 30; ++i) {
      DM_RETURN_IF_ERROR(CheckWholeMachine(t, absl::StrCat("o'neil-", i - i % 2)));
    }
    machine::v1::OperationEvent event = TestEvent("third");
    DM_RETURN_IF_ERROR(t.AppendEvent("operations/o'neil-0-create", event));
    EXPECT_EQ(event.sequence(), 3);
    return InsertWholeMachine(t, "new");
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(DatabaseCopyTest, ADatabaseWithoutAStoreIsNotBackedUp) {
  EXPECT_TRUE(absl::IsNotFound(BackUpDatabase(*database_, backup_)));
  EXPECT_EQ(server_
                ->Run(testing::UnitTest::GetInstance()->current_test_info()->name(),
                      "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
                .value(),
            "0\n");
}

TEST_F(DatabaseCopyTest, ADatabaseThatHoldsSomethingIsNotWritten) {
  ASSERT_TRUE(CopyToDatabase(path_, *database_).ok());
  const absl::Status status = CopyToDatabase(path_, *database_);
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("machines are stored there already"));
}

TEST_F(DatabaseCopyTest, AStoreThatIsServedIsNotMigrated) {
  const auto in_use = SqliteStore::Open(path_).value();
  EXPECT_EQ(CopyToDatabase(path_, *database_).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace machine::orchestrator
