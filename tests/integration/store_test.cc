// The store's files in states that nobody wants: a clear error, and every byte is still there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"
#include "tests/integration/world.h"

namespace machine::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kCreate[] = "create -d none --url=tcp://127.0.0.1:1 ";
constexpr char kCannotStart[] = "the orchestrator cannot start: ";

class StoreTest : public WorldTest {
 protected:
  // Machine "dev" is in the store, and nobody has it open.
  void SetUp() override {
    const Outcome made = Run(absl::StrCat(kCreate, "dev"));
    ASSERT_EQ(made.exit_code, 0) << made;
    ASSERT_TRUE(world_.StopOrchestrator());
  }

  std::string store() const { return world_.server_dir() + "/store.db"; }

  void Execute(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(store().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  // Puts `bytes` at `offset` of the store.
  void Overwrite(std::streamoff offset, const std::string& bytes) {
    std::fstream file(store(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
    ASSERT_TRUE(file.good());
  }

  // All that could be lost, by file. Locks, sockets and the log are not.
  std::map<std::string, std::string> Treasure() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(world_.storage())) {
      const std::string name = entry.path().filename();
      const bool kept = entry.is_regular_file() && name != "server.log" && name != "server.lock" &&
                        name != "store.db.lock" && name != "store.db-shm";
      // A log that was folded into the store leaves an empty one.
      if (kept && entry.file_size() > 0) {
        files[entry.path()] = common::ReadFile(entry.path().string()).value();
      }
    }
    return files;
  }

  void ExpectRefusedAndUntouched(const testing::Matcher<std::string>& message) {
    const auto before = Treasure();
    for (const char* const line :
         {"ls", "create -d none --url=tcp://127.0.0.1:1 new", "rm -y dev"}) {
      const Outcome refused = Run(line);
      EXPECT_EQ(refused.exit_code, 1) << refused;
      EXPECT_THAT(refused.err, message);
      EXPECT_THAT(refused.out, testing::Not(HasSubstr("Successfully")));
    }
    const auto after = Treasure();
    for (const auto& [path, bytes] : before) {
      EXPECT_TRUE(after.count(path) == 1 && after.at(path) == bytes) << path << " has changed";
    }
    // An orchestrator says why it cannot start a moment before it ends.
    EXPECT_TRUE(Eventually(absl::Seconds(30), [&] { return world_.Processes().empty(); }));
  }
};

TEST_F(StoreTest, StoreFromANewerVersionIsRefusedAndUsableLater) {
  Execute("UPDATE schema_version SET version = version + 900");
  ExpectRefusedAndUntouched(
      AllOf(HasSubstr(kCannotStart), HasSubstr("was written by a newer version (schema 9")));
  Execute("UPDATE schema_version SET version = version - 900");
  EXPECT_EQ(Run("ls -q").out, "dev\n");
}

TEST_F(StoreTest, FileOfAnotherProgramIsRefused) {
  fs::remove(store());
  Execute("CREATE TABLE photos (name TEXT)");
  ExpectRefusedAndUntouched(
      AllOf(HasSubstr(kCannotStart), HasSubstr("is a database of another program, not a store")));
}

TEST_F(StoreTest, StoreWithoutItsHeadIsRefused) {
  Overwrite(0, std::string(100, 'x'));
  ExpectRefusedAndUntouched(
      AllOf(HasSubstr(kCannotStart), HasSubstr(store()), HasSubstr("not a database")));
}

TEST_F(StoreTest, StoreWithDamagedPagesIsRefused) {
  const auto size = fs::file_size(store());
  ASSERT_GT(size, 3u * 4096);
  for (std::uintmax_t page = 2; (page + 1) * 4096 <= size; ++page) {
    Overwrite(static_cast<std::streamoff>(page * 4096), std::string(64, '\xA5'));
  }
  ExpectRefusedAndUntouched(HasSubstr(kCannotStart));
}

TEST_F(StoreTest, StoreThatWasCutOffIsRefused) {
  fs::resize_file(store(), fs::file_size(store()) / 2);
  ExpectRefusedAndUntouched(HasSubstr(kCannotStart));
}

TEST_F(StoreTest, DamageAfterAPowerCutLeavesTheLogAsItIs) {
  ASSERT_EQ(Run(absl::StrCat(kCreate, "late")).exit_code, 0);
  ASSERT_EQ(world_.SignalAll("machine-orchestrator", SIGKILL), 1u);
  ASSERT_GT(fs::file_size(store() + "-wal"), 0u);
  const std::string head = common::ReadFile(store()).value().substr(0, 100);
  Overwrite(0, std::string(100, 'x'));
  ExpectRefusedAndUntouched(HasSubstr(kCannotStart));
  Overwrite(0, head);
  EXPECT_EQ(Run("ls -q").out, "dev\nlate\n");
}

TEST_F(StoreTest, RecordThatCannotBeReadIsListedWithItsErrorAndStopsNothing) {
  ASSERT_EQ(Run(absl::StrCat(kCreate, "odd")).exit_code, 0);
  ASSERT_TRUE(world_.StopOrchestrator());
  Execute("UPDATE machines SET record = x'ff' WHERE name = 'odd'");
  Execute("UPDATE operations SET record = x'ff' WHERE machine_name = 'dev'");
  const Outcome listed = Run("ls -f {{.Name}}|{{.DriverName}}|{{.State}}|{{.Error}}");
  EXPECT_THAT(listed.out, testing::StartsWith("dev|none|"));
  EXPECT_THAT(listed.out, HasSubstr("\nodd|not found|Error|the store's record of machine \"odd\" "
                                    "cannot be read: restore the store from a backup\n"));
  EXPECT_EQ(Run("status odd").out, "Error\n");
  // It is neither used nor thrown away.
  const Outcome refused = Run("rm -f odd");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("cannot be read"));
  EXPECT_TRUE(fs::exists(world_.machine_folder("odd")));
  EXPECT_EQ(Run(absl::StrCat(kCreate, "new")).exit_code, 0);
  EXPECT_EQ(Run("rm -y dev").exit_code, 0);
}

TEST_F(StoreTest, SealingKeyThatIsGoneIsNotReplaced) {
  const std::string key = world_.server_dir() + "/sealing.key";
  const std::string bytes = common::ReadFile(key).value();
  fs::remove(key);
  ExpectRefusedAndUntouched(AllOf(HasSubstr(kCannotStart), HasSubstr("sealing.key")));
  ASSERT_TRUE(common::WriteFileAtomically(key, bytes, 0600).ok());
  EXPECT_EQ(Run("ls -q").out, "dev\n");
}

TEST_F(StoreTest, StoragePathThatIsAFileIsNamed) {
  const std::string path = world_.Path("file");
  std::ofstream(path) << "text";
  const Outcome refused = world_.RunWords({"--storage-path", path, "ls"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.err, absl::StrCat("the storage path (--storage-path, MACHINE_STORAGE_PATH): ",
                                      path, " is not a folder\n"));
  EXPECT_EQ(common::ReadFile(path).value(), "text");
}

TEST_F(StoreTest, StoragePathThatIsTooLongForASocketWorks) {
  const std::string path = world_.Path(std::string(120, 'p') + "/s");
  EXPECT_EQ(world_.RunWords({"-s", path, "create", "-d", "none", "--url=tcp://127.0.0.1:1", "far"})
                .exit_code,
            0);
  EXPECT_EQ(world_.RunWords({"-s", path, "ls", "-q"}).out, "far\n");
}

TEST_F(StoreTest, MachinesFolderIsMadeAgainFromTheStore) {
  ASSERT_EQ(Run("ls").exit_code, 0);
  ASSERT_TRUE(world_.StopOrchestrator());
  fs::create_directories(world_.machine_folder("left-over-of-another-program"));
  EXPECT_EQ(Run("ls -q").out, "dev\n");
  EXPECT_TRUE(fs::exists(world_.machine_folder("left-over-of-another-program")));
}

class SocketTest : public WorldTest {
 protected:
  pid_t StartedBy(absl::string_view line) {
    const Outcome outcome = Run(line);
    EXPECT_EQ(outcome.exit_code, 0) << outcome;
    EXPECT_EQ(outcome.err, "");
    const auto orchestrator = world_.Orchestrator();
    return orchestrator.has_value() ? orchestrator->pid : 0;
  }
};

TEST_F(SocketTest, SocketThatAKilledOrchestratorLeftIsNoObstacle) {
  const pid_t first = StartedBy("ls");
  EXPECT_EQ(world_.SignalAll("machine-orchestrator", SIGKILL), 1u);
  ASSERT_TRUE(fs::exists(world_.server_dir() + "/o.sock"));
  ASSERT_TRUE(fs::exists(world_.server_dir() + "/server.json"));
  EXPECT_NE(StartedBy("ls"), first);
}

TEST_F(SocketTest, ServerFileThatIsNonsenseIsNoObstacle) {
  StartedBy("ls");
  ASSERT_TRUE(world_.StopOrchestrator());
  for (const char* const text : {"", "{", "[]", R"({"pid": 1, "start_time": 7, "address": "x"})"}) {
    ASSERT_TRUE(common::WriteFileAtomically(world_.server_dir() + "/server.json", text, 0600).ok());
    StartedBy("ls");
    ASSERT_TRUE(world_.StopOrchestrator());
  }
}

TEST_F(SocketTest, SecondOrchestratorOnOneStoreNamesTheFirst) {
  const pid_t first = StartedBy("create -d none --url=tcp://127.0.0.1:1 dev");
  const std::string file = common::ReadFile(world_.server_dir() + "/server.json").value();
  const Outcome second = world_.BeginOrchestrator("").Wait();
  EXPECT_EQ(second.exit_code, 1) << second;
  EXPECT_THAT(second.err, HasSubstr(absl::StrCat("is in use by process ", first)));
  // The first is still the one that is found, and serves.
  EXPECT_EQ(common::ReadFile(world_.server_dir() + "/server.json").value(), file);
  EXPECT_EQ(StartedBy("ls -q"), first);
  EXPECT_EQ(Run("ls -q").out, "dev\n");
}

TEST_F(SocketTest, FoldersAndFilesAreForTheirUserOnly) {
  StartedBy("create -d none --url=tcp://127.0.0.1:1 dev");
  for (const char* const name : {"", "/server", "/machines", "/machines/dev"}) {
    EXPECT_EQ(fs::status(world_.storage() + name).permissions(), fs::perms::owner_all) << name;
  }
  for (const auto& entry : fs::directory_iterator(world_.server_dir())) {
    EXPECT_EQ(entry.status().permissions() & (fs::perms::group_all | fs::perms::others_all),
              fs::perms::none)
        << entry.path();
  }
}

}  // namespace
}  // namespace machine::tests
