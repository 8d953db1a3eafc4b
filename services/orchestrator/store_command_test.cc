#include "services/orchestrator/store_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/orchestrator/secrets/secret_vault.h"
#include "services/orchestrator/store/postgres_for_test.h"
#include "services/orchestrator/store/postgres_store.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

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
        {"NoVerb", {}, "store needs backup, restore, migrate or rotate-key"},
        {"UnknownVerb", {"copy"}, "store: \"copy\" is not understood"},
        {"NoFile", {"backup"}, "store backup needs one file"},
        {"TwoFiles", {"restore", "a", "b"}, "store restore needs one file"},
        {"NoDatabase", {"migrate"}, "migrate needs --store or --store-file"},
        {"BadOption", {"backup", "a", "--colour=red"}, "--colour"},
        {"Password", {"migrate", "--store=postgres://a:secret@b/c"}, "PGPASSFILE"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

// Puts a sealed value of each kind into the store.
void SealValues(Store& store, const SecretVault& vault) {
  const auto seal = [&](absl::string_view owner, absl::string_view name) {
    return vault.Seal(owner, name, absl::StrCat("value of ", name)).value();
  };
  const absl::Status status = store.WriteAndWait([&](StoreTransaction& t) -> absl::Status {
    MachineRecord machine = TestMachine("dev");
    machine.set_driver_state_sealed(seal("uid-dev", "driver_state"));
    absl::Status written = t.InsertMachine(machine);
    written.Update(t.PutSecret("uid-dev", "token", seal("uid-dev", "token")));
    MachineRecord gone = TestMachine("gone");
    gone.set_driver_state_sealed(seal("uid-gone", "driver_state"));
    written.Update(t.InsertMachine(gone));
    TombstoneRecord tombstone;
    *tombstone.mutable_machine() = gone;
    written.Update(t.BuryMachine(tombstone));
    CertificateRecord ca;
    ca.set_name("ca");
    ca.set_key_sealed(seal("certificates", "ca"));
    written.Update(t.PutCertificate(ca));
    DriverRecord driver;
    driver.set_name("lab");
    driver.set_client_key_sealed(seal("drivers/lab", "client_key"));
    written.Update(t.PutDriver(driver));
    return written;
  });
  ASSERT_TRUE(status.ok()) << status;
}

void ExpectValues(Store& store, const SecretVault& vault) {
  const auto expect = [&](absl::string_view owner, absl::string_view name,
                          absl::string_view sealed) {
    const auto value = vault.Open(owner, name, sealed);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->view(), absl::StrCat("value of ", name));
  };
  const absl::Status status = store.Read([&](StoreReader& reader) {
    expect("uid-dev", "token", **reader.FindSecret("uid-dev", "token"));
    expect("uid-dev", "driver_state", (*reader.FindMachine("uid-dev"))->driver_state_sealed());
    expect("uid-gone", "driver_state",
           (*reader.FindTombstone("uid-gone"))->machine().driver_state_sealed());
    expect("certificates", "ca", (*reader.FindCertificate("ca"))->key_sealed());
    expect("drivers/lab", "client_key", reader.ListDrivers()->at(0).client_key_sealed());
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
}

class RotateKeyTest : public StoreCommandTest {
 protected:
  RotateKeyTest() {
    const auto store = SqliteStore::Open(store_path()).value();
    SealValues(*store, *SecretVault::LoadOrCreate(key_path(), *store));
  }

  std::string store_path() const { return folder_ + "/server/store.db"; }
  std::string key_path() const { return folder_ + "/server/sealing.key"; }
  std::string Key() const { return common::ReadFile(key_path()).value(); }

  // That an orchestrator which starts now can open everything.
  void ExpectUsable() {
    const auto store = SqliteStore::Open(store_path()).value();
    const auto vault = SecretVault::LoadOrCreate(key_path(), *store);
    ASSERT_TRUE(vault.ok()) << vault.status();
    ExpectValues(*store, *vault);
  }
};

TEST_F(RotateKeyTest, EverythingIsSealedWithTheNewKeyAndTheOldOneOpensNothing) {
  const std::string old_key = Key();
  const auto done = RunStoreCommand({"rotate-key"});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(*done, HasSubstr("Sealed 5 values"));
  EXPECT_NE(Key(), old_key);
  ExpectUsable();
  ASSERT_TRUE(common::WriteFileAtomically(key_path(), old_key, 0600).ok());
  const auto store = SqliteStore::Open(store_path()).value();
  EXPECT_THAT(std::string(SecretVault::LoadOrCreate(key_path(), *store).status().message()),
              HasSubstr("is another one"));
}

TEST_F(RotateKeyTest, IsRefusedWhileAnOrchestratorUsesTheStore) {
  const std::string old_key = Key();
  const auto store = SqliteStore::Open(store_path()).value();
  EXPECT_THAT(std::string(RunStoreCommand({"rotate-key"}).status().message()),
              HasSubstr("is in use by process"));
  EXPECT_EQ(Key(), old_key);
}

TEST_F(RotateKeyTest, WithAnotherStoresKeyNothingIsChanged) {
  ASSERT_TRUE(common::WriteFileAtomically(key_path(), std::string(64, 'a') + "\n", 0600).ok());
  EXPECT_THAT(std::string(RunStoreCommand({"rotate-key"}).status().message()),
              HasSubstr("is not that of the store"));
}

class KilledRotationTest : public RotateKeyTest, public testing::WithParamInterface<const char*> {};

TEST_P(KilledRotationTest, LosesNothingAndCanBeDoneAgain) {
  testing::FLAGS_gtest_death_test_style = "fast";
  setenv("MACHINE_FAILPOINTS", absl::StrCat("store.rotate_key.", GetParam()).c_str(), 1);
  EXPECT_EXIT(RunStoreCommand({"rotate-key"}).IgnoreError(), testing::KilledBySignal(SIGKILL), "");
  unsetenv("MACHINE_FAILPOINTS");
  ExpectUsable();
  const std::string key = Key();
  EXPECT_TRUE(RunStoreCommand({"rotate-key"}).ok());
  EXPECT_NE(Key(), key);
  ExpectUsable();
}
INSTANTIATE_TEST_SUITE_P(Points, KilledRotationTest,
                         testing::Values("before_effect", "after_effect", "after_commit"));

TEST_F(StoreCommandTest, ADatabaseIsResealedOnceNoOrchestratorIsConnected) {
  if (!PostgresForTest::Installed()) GTEST_SKIP() << "PostgreSQL is not installed";
  const auto server = PostgresForTest::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string url = (*server)->Database("reseal").value();
  const auto address = PostgresAddress::Parse(url).value();
  const std::string key_path = folder_ + "/server/sealing.key";
  ASSERT_TRUE(common::EnsureDir(folder_ + "/server", 0700).ok());
  {
    const auto store = PostgresStore::Open(address, SharedLeaseTimes(absl::Seconds(30))).value();
    SealValues(*store, *SecretVault::LoadOrCreate(key_path, *store));
    EXPECT_THAT(std::string(RunStoreCommand({"rotate-key", "--store", url}).status().message()),
                HasSubstr("is in use: stop the orchestrators"));
  }
  const auto done = RunStoreCommand({"rotate-key", "--store", url});
  ASSERT_TRUE(done.ok()) << done.status();
  const auto store = PostgresStore::Open(address, SharedLeaseTimes(absl::Seconds(30))).value();
  ExpectValues(*store, *SecretVault::LoadOrCreate(key_path, *store));
}

TEST_F(StoreCommandTest, HelpIsShown) {
  EXPECT_THAT(RunStoreCommand({"--help"}).value(),
              HasSubstr("Usage: machine-orchestrator store backup FILE"));
}

}  // namespace
}  // namespace machine::orchestrator
