// What only a SqliteStore has: its files, its lock, damage, crashes and full disks.
#include "services/orchestrator/store/sqlite_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "services/common/file/file.h"
#include "services/common/file/small_disk_for_test.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sqlite_schema.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A fork of this process, which has no other threads while a test begins.
class Fork {
 public:
  /// Runs `body` in the child; what it returns is written to output(), as is what it writes to
  /// `fd`.
  explicit Fork(const std::function<std::string(int fd)>& body) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const std::string text = body(ends[1]);
      Say(ends[1], text);
      _exit(0);
    }
    close(ends[1]);
    output_.reset(ends[0]);
  }
  ~Fork() {
    Kill();
    waitpid(pid_, nullptr, 0);
  }

  static void Say(int fd, absl::string_view text) {
    if (write(fd, text.data(), text.size()) < 0) _exit(1);
  }

  void Kill() { kill(pid_, SIGKILL); }
  pid_t pid() const { return pid_; }

  /// What comes until `lines` line ends were read, or the end; waits for it.
  std::string Read(int lines) {
    std::string text;
    char byte = 0;
    while (lines > 0 && read(output_.get(), &byte, 1) == 1) {
      text.push_back(byte);
      if (byte == '\n') --lines;
    }
    return text;
  }
  std::string ReadAll() { return Read(1 << 30); }

 private:
  pid_t pid_ = -1;
  common::UniqueFd output_;
};

std::string OpenResult(const std::string& path) {
  return std::string(SqliteStore::Open(path).status().ToString());
}

class SqliteStoreTest : public testing::Test {
 protected:
  std::unique_ptr<SqliteStore> Open() {
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  // Changes the closed file behind the store's back.
  void Execute(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  void Overwrite(off_t offset, const std::string& bytes) {
    const common::UniqueFd fd(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(pwrite(fd.get(), bytes.data(), bytes.size(), offset),
              static_cast<ssize_t>(bytes.size()));
  }

  mode_t Mode(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  const std::string folder_ = NewTestFolder();
  const std::string path_ = absl::StrCat(folder_, "/it's a 'store'.db");
};

TEST_F(SqliteStoreTest, AllItsFilesAreForItsUserOnly) {
  const std::string nested = absl::StrCat(folder_, "/a/b/store.db");
  const mode_t old_mask = umask(0);
  auto store = SqliteStore::Open(nested);
  umask(old_mask);
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)
                  ->WriteAndWait([](StoreTransaction& t) { return InsertWholeMachine(t, "dev"); })
                  .ok());
  EXPECT_EQ(Mode(absl::StrCat(folder_, "/a")), 0700U);
  for (const absl::string_view suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(Mode(absl::StrCat(nested, suffix)), 0600U) << suffix;
  }
}

TEST_F(SqliteStoreTest, AFileThatOthersCouldReadIsTightened) {
  Open();
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  Open();
  EXPECT_EQ(Mode(path_), 0600U);
}

TEST_F(SqliteStoreTest, ASecondOpenerLearnsWhoHasIt) {
  Fork holder([&](int fd) {
    const auto store = SqliteStore::Open(path_);
    Fork::Say(fd, "open\n");
    pause();
    return "";
  });
  ASSERT_EQ(holder.Read(1), "open\n");
  const absl::Status status = SqliteStore::Open(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            absl::StrCat("the store ", path_, " is in use by process ", holder.pid()));
  EXPECT_EQ(HolderOfSqliteStore(status), absl::StrCat(holder.pid()));
  EXPECT_EQ(HolderOfSqliteStore(absl::FailedPreconditionError("another")), std::nullopt);
}

TEST_F(SqliteStoreTest, TheLockEndsWithAKilledProcess) {
  {
    Fork holder([&](int fd) {
      const auto store = SqliteStore::Open(path_);
      Fork::Say(fd, "open\n");
      pause();
      return "";
    });
    ASSERT_EQ(holder.Read(1), "open\n");
  }
  EXPECT_NE(Open(), nullptr);
}

TEST_F(SqliteStoreTest, AStoreOfANewerVersionIsLeftAsItIs) {
  Open();
  Execute("UPDATE schema_version SET version = 7");
  const std::string before = *common::ReadFile(path_);
  const absl::Status status = SqliteStore::Open(path_).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STATE_TOO_NEW);
  EXPECT_EQ(status.message(),
            absl::StrCat("the store ", path_, " was written by a newer version ",
                         "(schema 7; this one knows ", SqliteMigrations().size(), ")"));
  EXPECT_EQ(*common::ReadFile(path_), before);
}

TEST_F(SqliteStoreTest, ADatabaseOfAnotherProgramIsLeftAsItIs) {
  Execute("CREATE TABLE bookmarks (url TEXT)");
  const std::string before = *common::ReadFile(path_);
  EXPECT_EQ(SqliteStore::Open(path_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*common::ReadFile(path_), before);
}

TEST_F(SqliteStoreTest, WhatACrashLeftOfANewStoreIsNoneYet) {
  ASSERT_TRUE(common::WriteFileAtomically(absl::StrCat(path_, ".new"), "half", 0600).ok());
  EXPECT_NE(Open(), nullptr);
  EXPECT_NE(access(absl::StrCat(path_, ".new").c_str(), F_OK), 0);
}

TEST_F(SqliteStoreTest, AnEmptyFileIsANewStore) {
  ASSERT_TRUE(common::WriteFileAtomically(path_, "", 0600).ok());
  EXPECT_NE(Open(), nullptr);
}

struct DamageCase {
  std::string label;
  off_t offset;
  std::string bytes;
};

class SqliteStoreDamageTest : public SqliteStoreTest,
                              public testing::WithParamInterface<DamageCase> {};

TEST_P(SqliteStoreDamageTest, IsToldWithWhatToDoAndNothingIsDeleted) {
  {
    const auto store = Open();
    ASSERT_TRUE(store
                    ->WriteAndWait([](StoreTransaction& t) {
                      for (int i = 0; i < 100; ++i) {
                        DM_RETURN_IF_ERROR(InsertWholeMachine(t, absl::StrCat("m", i)));
                      }
                      return absl::OkStatus();
                    })
                    .ok());
  }
  Overwrite(GetParam().offset, GetParam().bytes);
  const std::string before = *common::ReadFile(path_);
  const absl::Status status = SqliteStore::Open(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_STORE_CORRUPT);
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("the store ", path_, " is damaged")));
  EXPECT_THAT(status.message(), HasSubstr("nothing was deleted; put a backup in its place"));
  EXPECT_EQ(*common::ReadFile(path_), before);
}

INSTANTIATE_TEST_SUITE_P(Damage, SqliteStoreDamageTest,
                         testing::ValuesIn<DamageCase>({
                             {"NoDatabase", 0, std::string(4096, 'x')},
                             {"SchemaPage", 100, std::string(500, '\xff')},
                             // Leaves the header and the schema whole.
                             {"AllTables", 3 * 4096, std::string(20 * 4096, '\x5a')},
                         }),
                         [](const auto& info) { return info.param.label; });

TEST_F(SqliteStoreTest, ABadRowIsReportedAndShownWithItsErrorAndStopsNothing) {
  {
    const auto store = Open();
    ASSERT_TRUE(store
                    ->WriteAndWait([](StoreTransaction& t) -> absl::Status {
                      for (const absl::string_view name : {"a", "b", "c"}) {
                        DM_RETURN_IF_ERROR(InsertWholeMachine(t, name));
                      }
                      return absl::OkStatus();
                    })
                    .ok());
  }
  // One that is no message, and one that is another's.
  Execute("UPDATE machines SET record = x'ff' WHERE name = 'a'");
  Execute(
      "UPDATE machines SET record = (SELECT record FROM machines WHERE name = 'b') "
      "WHERE name = 'c'; UPDATE operations SET record = x'ff' WHERE machine_name = 'a'");
  const auto store = Open();
  std::vector<std::string> names;
  std::vector<std::string> bad_rows;
  ASSERT_TRUE(store
                  ->Read([&](StoreReader& reader) {
                    return reader.ForEachMachine(
                        [&](MachineRecord record) {
                          names.push_back(absl::StrCat(record.machine().name(), " ",
                                                       record.machine().last_error().code()));
                        },
                        &bad_rows);
                  })
                  .ok());
  EXPECT_THAT(names, ElementsAre("machines/a 15", "machines/b 0", "machines/c 15"));
  EXPECT_THAT(bad_rows, ElementsAre(testing::StartsWith("a: "), testing::StartsWith("c: ")));
  const absl::Status found =
      store->Read([](StoreReader& reader) { return reader.FindMachineByName("a").status(); });
  EXPECT_EQ(common::ReasonOf(found), machine::v1::ERROR_REASON_STORE_CORRUPT);
  EXPECT_EQ(common::ErrorMetadataOf(found, "machine"), "a");
  // The operation of a is closed, with its error; the others are gone on with.
  std::vector<std::string> claimed;
  const auto operations = store->ClaimOperations("new", 10);
  for (const OperationRecord& operation : operations.value()) {
    claimed.push_back(absl::StrCat(operation.name(), " ", operation.result().error().code()));
  }
  EXPECT_THAT(claimed, ElementsAre("operations/a-create 15", "operations/b-create 0",
                                   "operations/c-create 0"));
  EXPECT_THAT(*store->ClaimOperations("newer", 10), SizeIs(2));
  ASSERT_TRUE(store
                  ->Read([&](StoreReader& reader) {
                    const auto listed = reader.ListOperations("a", false, "", 10);
                    EXPECT_EQ(listed->size(), 1u);
                    EXPECT_EQ(listed->at(0).result().error().code(), 15);
                    return listed.status();
                  })
                  .ok());
}

// A machine is not held by an operation that nobody can go on with.
TEST_F(SqliteStoreTest, TheMachineOfAnUnreadableOperationIsFreeAndInError) {
  ASSERT_TRUE(
      Open()->WriteAndWait([](StoreTransaction& t) { return InsertWholeMachine(t, "a"); }).ok());
  Execute("UPDATE operations SET record = x'ff'");
  const auto store = Open();
  EXPECT_THAT(*store->ClaimOperations("new", 10), SizeIs(1));
  std::optional<MachineRecord> machine;
  ASSERT_TRUE(store
                  ->Read([&](StoreReader& reader) -> absl::Status {
                    DM_ASSIGN_OR_RETURN(machine, reader.FindMachineByName("a"));
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(machine->machine().state(), machine::v1::MACHINE_STATE_ERROR);
  EXPECT_THAT(machine->machine().last_error().message(), HasSubstr("operations/a-create"));
  EXPECT_EQ(machine->machine().pending_operation(), "");
}

TEST_F(SqliteStoreTest, OfFinishedOperationsTheNewestHundredThousandAreKept) {
  Open();
  Execute(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100150) "
      "INSERT INTO operations (name, machine_uid, machine_name, epoch, owner, lease_until, "
      "finish_time, record) SELECT 'operations/' || i, 'u', 'm', 1, '', 0, "
      "unixepoch() * 1000000 + i, x'' FROM n");
  const auto store = Open();
  ASSERT_TRUE(
      store->WriteAndWait([](StoreTransaction& t) { return t.PutSecret("u", "n", "s"); }).ok());
  ASSERT_TRUE(store
                  ->Read([&](StoreReader& reader) -> absl::Status {
                    DM_ASSIGN_OR_RETURN(const auto kept,
                                        reader.ListOperations("m", false, "", 1'000'000));
                    EXPECT_EQ(kept.size(), 100'000u);
                    return absl::OkStatus();
                  })
                  .ok());
}

TEST_F(SqliteStoreTest, AFolderThatCannotBeWrittenIsNamed) {
  ASSERT_EQ(chmod(folder_.c_str(), 0555), 0);
  Fork other([&](int) -> std::string {
    // Nothing is forbidden to root.
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) return "cannot change user";
    return OpenResult(path_);
  });
  EXPECT_THAT(other.ReadAll(), testing::StartsWith(absl::StrCat(
                                   "PERMISSION_DENIED: cannot open the store ", path_)));
}

TEST_F(SqliteStoreTest, TenThousandMachinesAreAllThere) {
  {
    const auto store = Open();
    absl::BlockingCounter left(10'000);
    for (int i = 0; i < 10'000; ++i) {
      store->Write(
          [i](StoreTransaction& t) { return t.InsertMachine(TestMachine(absl::StrCat("m", i))); },
          [&](absl::Status status) {
            EXPECT_TRUE(status.ok()) << status;
            left.DecrementCount();
          });
    }
    left.Wait();
  }
  const auto store = Open();
  int count = 0;
  std::vector<std::string> bad_rows;
  ASSERT_TRUE(store
                  ->Read([&](StoreReader& reader) {
                    return reader.ForEachMachine([&](MachineRecord) { ++count; }, &bad_rows);
                  })
                  .ok());
  EXPECT_EQ(count, 10'000);
  EXPECT_THAT(bad_rows, testing::IsEmpty());
}

// Writes machines from several threads, names each in a line once it is durable, until killed.
std::string WriteUntilKilled(const std::string& path, int round, int fd) {
  const auto store = SqliteStore::Open(path);
  if (!store.ok()) return store.status().ToString();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0;; ++i) {
        const std::string name = absl::StrCat("m", round, "-", thread, "-", i);
        const absl::Status status = (*store)->WriteAndWait(
            [&](StoreTransaction& t) { return InsertWholeMachine(t, name); });
        Fork::Say(fd, absl::StrCat(status.ok() ? name : status.ToString(), "\n"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return "";
}

TEST_F(SqliteStoreTest, KillsLoseNothingThatWasReportedAndLeaveNothingHalf) {
  std::set<std::string> reported;
  std::mt19937 random(20);  // The same places each time, as far as the system allows.
  for (int round = 0; round < 20; ++round) {
    {
      Fork writer([&](int fd) { return WriteUntilKilled(path_, round, fd); });
      std::string text = writer.Read(1 + static_cast<int>(random() % 60));
      writer.Kill();
      text += writer.ReadAll();
      for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
        reported.emplace(line);
      }
    }
    const auto store = Open();
    ASSERT_NE(store, nullptr);
    ASSERT_TRUE(
        store
            ->Read([&](StoreReader& reader) -> absl::Status {
              for (const std::string& name : reported) {
                DM_RETURN_IF_ERROR(common::Annotate(CheckWholeMachine(reader, name), "reported"));
              }
              std::vector<std::string> stored;
              DM_RETURN_IF_ERROR(reader.ForEachMachine(
                  [&](MachineRecord record) { stored.push_back(record.machine().uid().substr(4)); },
                  nullptr));
              for (const std::string& name : stored) {
                DM_RETURN_IF_ERROR(CheckWholeMachine(reader, name));
              }
              EXPECT_GE(stored.size(), reported.size());
              return absl::OkStatus();
            })
            .ok());
  }
  EXPECT_GE(reported.size(), 20U);
}

// What happens on a disk that fills up and is then given room, a line each.
std::string FillDisk(const std::string& folder) {
  const common::SmallDiskForTest disk(folder, 1 << 20);
  if (!disk.mounted()) return "cannot mount";
  const auto store = SqliteStore::Open(absl::StrCat(folder, "/store.db"));
  if (!store.ok()) return store.status().ToString();
  const std::string ballast_path = absl::StrCat(folder, "/ballast");
  if (!common::WriteFileAtomically(ballast_path, std::string(300 << 10, 'x'), 0600).ok()) {
    return "no room for the ballast";
  }
  std::string last;
  absl::Status failed;
  for (int i = 0; failed.ok() && i < 1000; ++i) {
    last = absl::StrCat("m", i);
    failed = (*store)->WriteAndWait([&](StoreTransaction& t) -> absl::Status {
      DM_RETURN_IF_ERROR(t.PutSecret("uid", last, std::string(20 << 10, 'x')));
      return InsertWholeMachine(t, last);
    });
  }
  unlink(ballast_path.c_str());
  const auto check = [&](absl::string_view name) {
    return (*store)->Read([&](StoreReader& reader) { return CheckWholeMachine(reader, name); });
  };
  const absl::Status lost = check(last);
  const absl::Status kept = check("m0");
  const absl::Status again =
      (*store)->WriteAndWait([&](StoreTransaction& t) { return InsertWholeMachine(t, last); });
  return absl::StrCat(failed.ToString(), "\n", lost.ToString(), "\n", kept.ToString(), "\n",
                      again.ToString(), "\n", check(last).ToString());
}

TEST_F(SqliteStoreTest, AFullDiskFailsTheWriteAndTheStoreGoesOnOnceThereIsRoom) {
  Fork child([&](int) { return FillDisk(folder_); });
  const std::string text = child.ReadAll();
  if (text == "cannot mount") GTEST_SKIP() << "needs a mount namespace";
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  ASSERT_THAT(lines, SizeIs(5)) << text;
  EXPECT_EQ(lines[0], absl::StrCat("RESOURCE_EXHAUSTED: the disk is full: cannot write the store ",
                                   folder_, "/store.db"));
  EXPECT_THAT(lines[1], testing::StartsWith("NOT_FOUND"));
  EXPECT_EQ(lines[2], "OK");
  EXPECT_EQ(lines[3], "OK");
  EXPECT_EQ(lines[4], "OK");
}

// The results of a group of ten on a disk that fails, then of one write when it works again.
std::string FailDisk(const std::string& path) {
  const auto store = SqliteStore::Open(path);
  if (!store.ok()) return store.status().ToString();
  signal(SIGXFSZ, SIG_IGN);
  rlimit old = {};
  getrlimit(RLIMIT_FSIZE, &old);
  // Not a full disk: the system refuses each write beyond this with EFBIG.
  const rlimit tiny = {.rlim_cur = 1 << 10, .rlim_max = old.rlim_max};
  std::string results;
  absl::BlockingCounter left(10);
  absl::Notification entered;
  absl::Notification go;
  (*store)->Write(
      [&](StoreTransaction&) {
        entered.Notify();
        go.WaitForNotification();
        return absl::OkStatus();
      },
      nullptr);
  entered.WaitForNotification();
  for (int i = 0; i < 10; ++i) {
    (*store)->Write(
        [i](StoreTransaction& t) -> absl::Status {
          if (i == 5) return absl::CancelledError("by itself");
          return InsertWholeMachine(t, absl::StrCat("m", i));
        },
        [&](absl::Status status) {
          absl::StrAppend(&results, absl::StatusCodeToString(status.code()), " ");
          left.DecrementCount();
        });
  }
  setrlimit(RLIMIT_FSIZE, &tiny);
  go.Notify();
  left.Wait();
  setrlimit(RLIMIT_FSIZE, &old);
  const absl::Status again =
      (*store)->WriteAndWait([](StoreTransaction& t) { return InsertWholeMachine(t, "m0"); });
  return absl::StrCat(results, again.ToString());
}

TEST_F(SqliteStoreTest, ADiskThatFailsAtTheCommitFailsTheWholeGroup) {
  Fork child([&](int) { return FailDisk(path_); });
  std::string want;
  for (int i = 0; i < 10; ++i) want += "INTERNAL ";
  EXPECT_EQ(child.ReadAll(), want + "OK");
}

}  // namespace
}  // namespace machine::orchestrator
