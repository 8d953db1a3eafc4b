#include "services/orchestrator/store_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

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
        {"UnknownTarget", {"rotate-key", "to-stone"}, "to-passphrase FILE, or to-key-file"},
        {"NoPassphrase", {"rotate-key", "to-passphrase"}, "to-passphrase FILE, or to-key-file"},
        {"FromPassphraseToWhat", {"rotate-key", "--passphrase-file=p"}, "or to-key-file"},
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
    EXPECT_TRUE(common::EnsureDir(folder_ + "/server", 0700).ok());
    for (const char* name : {"first", "second"}) {
      EXPECT_TRUE(common::WriteFileAtomically(Passphrase(name).passphrase_path,
                                              absl::StrCat("the ", name, " passphrase\n"), 0600)
                      .ok());
    }
  }

  KeySource KeyFile() const { return {.key_path = key_path(), .passphrase_path = ""}; }
  KeySource Passphrase(absl::string_view name) const {
    return {.key_path = key_path(), .passphrase_path = absl::StrCat(folder_, "/", name)};
  }
  std::string store_path() const { return folder_ + "/server/store.db"; }
  std::string key_path() const { return folder_ + "/server/sealing.key"; }
  std::string Key() const { return common::ReadFile(key_path()).value(); }

  void Fill(const KeySource& source) {
    const auto store = SqliteStore::Open(store_path()).value();
    SealValues(*store, *SecretVault::LoadOrCreate(source, *store));
  }

  // That an orchestrator which starts now with `source` can open everything.
  void ExpectUsable(const KeySource& source) {
    const auto store = SqliteStore::Open(store_path()).value();
    const auto vault = SecretVault::LoadOrCreate(source, *store);
    ASSERT_TRUE(vault.ok()) << vault.status();
    ExpectValues(*store, *vault);
  }
  std::string WhyNotUsable(const KeySource& source) {
    const auto store = SqliteStore::Open(store_path()).value();
    const absl::Status status = SecretVault::LoadOrCreate(source, *store).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(status.message());
  }
};

TEST_F(RotateKeyTest, EverythingIsSealedWithTheNewKeyAndTheOldOneOpensNothing) {
  Fill(KeyFile());
  const std::string old_key = Key();
  const auto done = RunStoreCommand({"rotate-key"});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(*done, HasSubstr("Sealed 5 values"));
  EXPECT_NE(Key(), old_key);
  ExpectUsable(KeyFile());
  ASSERT_TRUE(common::WriteFileAtomically(key_path(), old_key, 0600).ok());
  EXPECT_THAT(WhyNotUsable(KeyFile()), HasSubstr("is another one"));
}

TEST_F(RotateKeyTest, IsRefusedWhileAnOrchestratorUsesTheStore) {
  Fill(KeyFile());
  const std::string old_key = Key();
  const auto store = SqliteStore::Open(store_path()).value();
  EXPECT_THAT(std::string(RunStoreCommand({"rotate-key"}).status().message()),
              HasSubstr("is in use by process"));
  EXPECT_EQ(Key(), old_key);
}

TEST_F(RotateKeyTest, WithAnotherStoresKeyNothingIsChanged) {
  Fill(KeyFile());
  const std::string old_key = Key();
  ASSERT_TRUE(common::WriteFileAtomically(key_path(), std::string(64, 'a') + "\n", 0600).ok());
  EXPECT_THAT(std::string(RunStoreCommand({"rotate-key"}).status().message()),
              HasSubstr("is another one"));
  ASSERT_TRUE(common::WriteFileAtomically(key_path(), old_key, 0600).ok());
  ExpectUsable(KeyFile());
}

TEST_F(RotateKeyTest, WithAnotherPassphraseNothingIsChanged) {
  Fill(Passphrase("first"));
  const std::string wrong = "--passphrase-file=" + Passphrase("second").passphrase_path;
  EXPECT_THAT(std::string(RunStoreCommand({"rotate-key", "to-key-file", wrong}).status().message()),
              HasSubstr("is another one"));
  EXPECT_THAT(std::string(RunStoreCommand({"rotate-key"}).status().message()),
              HasSubstr("by --passphrase-file"));
  ExpectUsable(Passphrase("first"));
}

TEST_F(RotateKeyTest, FromAKeyFileOverTwoPassphrasesBackToAKeyFile) {
  const std::string first = Passphrase("first").passphrase_path;
  const std::string second = Passphrase("second").passphrase_path;
  Fill(KeyFile());
  const std::string old_key = Key();
  const auto under_first = RunStoreCommand({"rotate-key", "to-passphrase", first});
  ASSERT_TRUE(under_first.ok()) << under_first.status();
  EXPECT_THAT(*under_first, HasSubstr("from the passphrase in " + first));
  // What backups need is kept, and no key that is not the store's is taken for it.
  EXPECT_NE(access(key_path().c_str(), F_OK), 0);
  EXPECT_THAT(*under_first, HasSubstr("need the old one, which is " + key_path() + "."));
  ExpectUsable(Passphrase("first"));
  EXPECT_THAT(WhyNotUsable(KeyFile()), HasSubstr("by --passphrase-file"));

  const auto under_second =
      RunStoreCommand({"rotate-key", "to-passphrase", second, "--passphrase-file", first});
  ASSERT_TRUE(under_second.ok()) << under_second.status();
  EXPECT_THAT(*under_second, HasSubstr("need the old passphrase"));
  ExpectUsable(Passphrase("second"));
  EXPECT_THAT(WhyNotUsable(Passphrase("first")), HasSubstr("is another one"));

  const auto back = RunStoreCommand({"rotate-key", "to-key-file", "--passphrase-file", second});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_THAT(*back, HasSubstr("without --passphrase-file from now on"));
  ExpectUsable(KeyFile());
  EXPECT_NE(Key(), old_key);
  EXPECT_THAT(WhyNotUsable(Passphrase("second")), HasSubstr("leave --passphrase-file out"));
}

// A rotation to be killed: between which kinds of keys, and where.
struct KilledCase {
  const char* label;
  // Passphrases by their names; empty for the key file.
  const char* from;
  const char* to;
};
class KilledRotationTest : public RotateKeyTest,
                           public testing::WithParamInterface<std::tuple<KilledCase, const char*>> {
};

TEST_P(KilledRotationTest, LosesNothingAndCanBeDoneAgain) {
  const auto& [rotation, point] = GetParam();
  const auto source = [&](absl::string_view name) {
    return name.empty() ? KeyFile() : Passphrase(name);
  };
  const KeySource from = source(rotation.from);
  const KeySource to = source(rotation.to);
  Fill(from);
  std::vector<std::string> words = {"rotate-key", "to-key-file"};
  if (!to.passphrase_path.empty()) words = {"rotate-key", "to-passphrase", to.passphrase_path};
  if (!from.passphrase_path.empty()) words.push_back("--passphrase-file=" + from.passphrase_path);
  testing::FLAGS_gtest_death_test_style = "fast";
  setenv("MACHINE_FAILPOINTS", absl::StrCat("store.rotate_key.", point).c_str(), 1);
  EXPECT_EXIT(RunStoreCommand(words).IgnoreError(), testing::KilledBySignal(SIGKILL), "");
  unsetenv("MACHINE_FAILPOINTS");
  ExpectUsable(absl::string_view(point) == "after_commit" ? to : from);
  const auto again = RunStoreCommand(words);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(*again, HasSubstr("Sealed 5 values"));
  ExpectUsable(to);
}
INSTANTIATE_TEST_SUITE_P(
    Points, KilledRotationTest,
    testing::Combine(testing::Values(KilledCase{"FileToFile", "", ""},
                                     KilledCase{"FileToPassphrase", "", "first"},
                                     KilledCase{"PassphraseToAnother", "first", "second"},
                                     KilledCase{"PassphraseToFile", "first", ""}),
                     testing::Values("before_effect", "after_effect", "after_commit")),
    [](const auto& info) {
      return absl::StrCat(std::get<0>(info.param).label, "_", std::get<1>(info.param));
    });

TEST_F(RotateKeyTest, ADatabaseIsResealedOnceNoOrchestratorIsConnected) {
  if (!PostgresForTest::Installed()) GTEST_SKIP() << "PostgreSQL is not installed";
  const auto server = PostgresForTest::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string url = (*server)->Database("reseal").value();
  const auto address = PostgresAddress::Parse(url).value();
  {
    const auto store = PostgresStore::Open(address, SharedLeaseTimes(absl::Seconds(30))).value();
    SealValues(*store, *SecretVault::LoadOrCreate(KeyFile(), *store));
    EXPECT_THAT(std::string(RunStoreCommand({"rotate-key", "--store", url}).status().message()),
                HasSubstr("is in use: stop the orchestrators"));
  }
  const KeySource first = Passphrase("first");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"rotate-key"},
        {"rotate-key", "to-passphrase", first.passphrase_path}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--store", url});
    const auto done = RunStoreCommand(all);
    ASSERT_TRUE(done.ok()) << done.status();
    const auto store = PostgresStore::Open(address, SharedLeaseTimes(absl::Seconds(30))).value();
    ExpectValues(*store, *SecretVault::LoadOrCreate(words.size() == 1 ? KeyFile() : first, *store));
  }
}

TEST_F(StoreCommandTest, HelpIsShown) {
  EXPECT_THAT(RunStoreCommand({"--help"}).value(),
              HasSubstr("Usage: machine-orchestrator store backup FILE"));
}

}  // namespace
}  // namespace machine::orchestrator
