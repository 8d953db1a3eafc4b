#include "services/orchestrator/store_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "services/orchestrator/store/sqlite_store.h"

namespace machine::orchestrator {
namespace {

using ::testing::HasSubstr;

class StoreCommandTest : public testing::Test {
 protected:
  StoreCommandTest() {
    folder_ = std::string(std::getenv("TEST_TMPDIR")) + "/command.XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    unsetenv("MACHINE_STORE");
    setenv("MACHINE_STORAGE_PATH", folder_.c_str(), 1);
  }

  std::string folder_;
};

TEST_F(StoreCommandTest, ABackupIsRestoredToAnotherStoragePath) {
  const std::string id = SqliteStore::Open(folder_ + "/server/store.db").value()->orchestrator_id();
  const auto backed_up = RunStoreCommand({"backup", folder_ + "/b"});
  ASSERT_TRUE(backed_up.ok()) << backed_up.status();
  EXPECT_THAT(*backed_up, HasSubstr(folder_ + "/server/sealing.key, which is not in it"));
  const std::string other = folder_ + "/other";
  const auto restored = RunStoreCommand({"restore", folder_ + "/b", "--storage-path", other});
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(SqliteStore::Open(other + "/server/store.db").value()->orchestrator_id(), id);
}

TEST_F(StoreCommandTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(std::string(RunStoreCommand({"backup", folder_ + "/b"}).status().message()),
              HasSubstr("there is no store " + folder_ + "/server/store.db"));
}

struct BadCase {
  const char* label;
  std::vector<std::string> words;
  const char* named;
};
class BadStoreCommandTest : public StoreCommandTest, public testing::WithParamInterface<BadCase> {};
TEST_P(BadStoreCommandTest, SaysWhatIsWrong) {
  const absl::Status status = RunStoreCommand(GetParam().words).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().named));
}
INSTANTIATE_TEST_SUITE_P(
    Words, BadStoreCommandTest,
    testing::ValuesIn<BadCase>({
        {"NoVerb", {}, "store needs backup, restore or migrate"},
        {"UnknownVerb", {"copy"}, "store: \"copy\" is not understood"},
        {"NoFile", {"backup"}, "store backup needs one file"},
        {"TwoFiles", {"restore", "a", "b"}, "store restore needs one file"},
        {"NoDatabase", {"migrate"}, "migrate needs --store or --store-file"},
        {"BadOption", {"backup", "a", "--colour=red"}, "--colour"},
        {"Password", {"migrate", "--store=postgres://a:secret@b/c"}, "PGPASSFILE"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(StoreCommandTest, HelpIsShown) {
  EXPECT_THAT(RunStoreCommand({"--help"}).value(),
              HasSubstr("Usage: machine-orchestrator store backup FILE"));
}

}  // namespace
}  // namespace machine::orchestrator
