#include "services/orchestrator/secrets/secret_vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/random.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "services/orchestrator/store/sqlite_store.h"
#include "services/orchestrator/store/test_records.h"

namespace machine::orchestrator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

SecretVault NewVault() {
  return SecretVault(*common::SealingKey::FromBytes(common::SecretString(common::RandomBytes(32))));
}

TEST(SecretVaultTest, OpensWhatItSealedForTheSameOwnerAndNameOnly) {
  const SecretVault vault = NewVault();
  const std::string sealed = *vault.Seal("uid-1", "token", "hunter2");
  EXPECT_FALSE(absl::StrContains(sealed, "hunter2"));
  EXPECT_EQ(vault.Open("uid-1", "token", sealed)->view(), "hunter2");
  for (const auto& [owner, name] :
       {std::pair<absl::string_view, absl::string_view>{"uid-2", "token"},
        {"uid-1", "other"},
        {"uid-1t", "oken"},
        {"", "uid-1token"}}) {
    const auto opened = vault.Open(owner, name, sealed);
    EXPECT_EQ(common::ReasonOf(opened.status()), machine::v1::ERROR_REASON_STORE_CORRUPT);
    EXPECT_THAT(opened.status().message(), HasSubstr(absl::StrCat(name, " of ", owner)));
  }
  EXPECT_TRUE(absl::IsDataLoss(NewVault().Open("uid-1", "token", sealed).status()));
}

class SecretVaultFileTest : public testing::Test {
 protected:
  std::string folder_ = NewTestFolder();
  std::string key_path_ = absl::StrCat(folder_, "/key");
  KeySource key_file_{.key_path = key_path_, .passphrase_path = ""};
  KeySource passphrase_{.key_path = key_path_,
                        .passphrase_path = absl::StrCat(folder_, "/passphrase")};

  void WritePassphrase(absl::string_view text) {
    ASSERT_TRUE(common::WriteFileAtomically(passphrase_.passphrase_path, text, 0600).ok());
  }
  std::unique_ptr<SqliteStore> store_ = *SqliteStore::Open(absl::StrCat(folder_, "/store.db"));
};

TEST_F(SecretVaultFileTest, ANewStoreGetsAKeyThatTheNextStartFinds) {
  const auto first = SecretVault::LoadOrCreate(key_file_, *store_);
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info;
  ASSERT_EQ(stat(key_path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const std::string sealed = *first->Seal("uid", "token", "hunter2");
  const auto second = SecretVault::LoadOrCreate(key_file_, *store_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->Open("uid", "token", sealed)->view(), "hunter2");
}

TEST_F(SecretVaultFileTest, AStoreWhoseKeyIsGoneGetsNoNewOne) {
  ASSERT_TRUE(SecretVault::LoadOrCreate(key_file_, *store_).ok());
  ASSERT_EQ(unlink(key_path_.c_str()), 0);
  const auto vault = SecretVault::LoadOrCreate(key_file_, *store_);
  EXPECT_EQ(vault.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(vault.status().message(), HasSubstr(absl::StrCat(key_path_, " is missing")));
  EXPECT_NE(access(key_path_.c_str(), F_OK), 0);
}

TEST_F(SecretVaultFileTest, AnotherKeyIsRefusedAtTheStart) {
  ASSERT_TRUE(SecretVault::LoadOrCreate(key_file_, *store_).ok());
  ASSERT_TRUE(common::WriteFileAtomically(key_path_, std::string(64, 'a'), 0600).ok());
  const auto vault = SecretVault::LoadOrCreate(key_file_, *store_);
  EXPECT_EQ(vault.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(vault.status().message(), HasSubstr("is another one"));
}

TEST_F(SecretVaultFileTest, ANewStoreIsSealedUnderAPassphraseWithParametersThatItKeeps) {
  WritePassphrase("open sesame\n");
  const auto first = SecretVault::LoadOrCreate(passphrase_, *store_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_NE(access(key_path_.c_str(), F_OK), 0);
  const std::string sealed = *first->Seal("uid", "token", "hunter2");
  // A line end is no part of it.
  WritePassphrase("open sesame");
  const auto second = SecretVault::LoadOrCreate(passphrase_, *store_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->Open("uid", "token", sealed)->view(), "hunter2");
}

TEST_F(SecretVaultFileTest, OfSeveralOrchestratorsOnANewStoreAllGetTheKeyOfTheFirst) {
  WritePassphrase("open sesame");
  std::mutex mu;
  std::vector<SecretVault> vaults;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto vault = SecretVault::LoadOrCreate(passphrase_, *store_);
      const std::lock_guard<std::mutex> lock(mu);
      if (vault.ok()) vaults.push_back(*std::move(vault));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(vaults.size(), 4U);
  const std::string sealed = *vaults[0].Seal("uid", "token", "hunter2");
  for (const SecretVault& vault : vaults) {
    EXPECT_EQ(vault.Open("uid", "token", sealed)->view(), "hunter2");
  }
}

TEST_F(SecretVaultFileTest, AnotherPassphraseAKeyFileOrNoPassphraseIsRefused) {
  WritePassphrase("open sesame");
  ASSERT_TRUE(SecretVault::LoadOrCreate(passphrase_, *store_).ok());
  EXPECT_THAT(SecretVault::LoadOrCreate(key_file_, *store_).status().message(),
              HasSubstr("were sealed under a passphrase"));
  EXPECT_NE(access(key_path_.c_str(), F_OK), 0);
  WritePassphrase("open sesami");
  const auto wrong = SecretVault::LoadOrCreate(passphrase_, *store_);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(wrong.status().message(),
              HasSubstr(absl::StrCat("the passphrase in ", passphrase_.passphrase_path,
                                     " is another one")));
  WritePassphrase("open sesame");
  EXPECT_TRUE(SecretVault::LoadOrCreate(passphrase_, *store_).ok());
}

TEST_F(SecretVaultFileTest, APassphraseForAStoreWithAKeyFileIsRefused) {
  ASSERT_TRUE(SecretVault::LoadOrCreate(key_file_, *store_).ok());
  WritePassphrase("open sesame");
  const auto vault = SecretVault::LoadOrCreate(passphrase_, *store_);
  EXPECT_EQ(vault.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(vault.status().message(), HasSubstr("leave --passphrase-file out"));
  EXPECT_TRUE(SecretVault::LoadOrCreate(key_file_, *store_).ok());
}

TEST(KeyRecordTest, IsTheSameAfterItWasKeptAndNonsenseIsRefused) {
  const KeyRecord record{.id = "0123456789abcdef", .derivation = common::ScryptParameters::New()};
  EXPECT_EQ(KeyRecord::Parse(record.ToString())->ToString(), record.ToString());
  EXPECT_FALSE(KeyRecord::Parse("0123456789abcdef")->derivation.has_value());
  for (const char* text : {"0123456789abcdef scrypt", "0123456789abcdef argon2:1:2:3:4"}) {
    EXPECT_EQ(common::ReasonOf(KeyRecord::Parse(text).status()),
              machine::v1::ERROR_REASON_STORE_CORRUPT);
  }
}

TEST_F(SecretVaultFileTest, SecretOptionsLeaveTheRecordAndComeBackForADriver) {
  const SecretVault vault = *SecretVault::LoadOrCreate(key_file_, *store_);
  MachineRecord record = TestMachine("dev");
  machine::v1::Machine& machine = *record.mutable_machine();
  auto* option = machine.add_driver_options();
  option->set_name("region");
  option->set_string_value("ams3");
  option = machine.add_driver_options();
  option->set_name("token");
  option->set_secret_value("hunter2");
  const machine::v1::Machine asked = machine;

  const auto secrets = SplitSecrets(machine);
  EXPECT_THAT(secrets, ElementsAre(Pair("token", "hunter2")));
  EXPECT_EQ(machine.driver_options(0).string_value(), "ams3");
  EXPECT_EQ(machine.driver_options(1).secret_ref(), "secrets/uid-dev/token");
  EXPECT_FALSE(absl::StrContains(record.SerializeAsString(), "hunter2"));

  const auto join = [&] {
    absl::StatusOr<std::vector<machine::v1::OptionValue>> options;
    EXPECT_TRUE(store_
                    ->Read([&](StoreReader& reader) {
                      options = JoinSecrets(reader, vault, machine);
                      return absl::OkStatus();
                    })
                    .ok());
    return options;
  };
  EXPECT_EQ(common::ReasonOf(join().status()), machine::v1::ERROR_REASON_STORE_CORRUPT);
  ASSERT_TRUE(store_
                  ->WriteAndWait([&](StoreTransaction& transaction) {
                    return transaction.PutSecret("uid-dev", "token",
                                                 *vault.Seal("uid-dev", "token", "hunter2"));
                  })
                  .ok());
  const auto options = join();
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_EQ(options->size(), 2U);
  EXPECT_EQ(options->at(0).SerializeAsString(), asked.driver_options(0).SerializeAsString());
  EXPECT_EQ(options->at(1).SerializeAsString(), asked.driver_options(1).SerializeAsString());
}

}  // namespace
}  // namespace machine::orchestrator
