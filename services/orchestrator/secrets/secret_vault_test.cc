#include "services/orchestrator/secrets/secret_vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

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
  std::unique_ptr<SqliteStore> store_ = *SqliteStore::Open(absl::StrCat(folder_, "/store.db"));
};

TEST_F(SecretVaultFileTest, ANewStoreGetsAKeyThatTheNextStartFinds) {
  const auto first = SecretVault::LoadOrCreate(key_path_, *store_);
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info;
  ASSERT_EQ(stat(key_path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const std::string sealed = *first->Seal("uid", "token", "hunter2");
  const auto second = SecretVault::LoadOrCreate(key_path_, *store_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->Open("uid", "token", sealed)->view(), "hunter2");
}

TEST_F(SecretVaultFileTest, AStoreWhoseKeyIsGoneGetsNoNewOne) {
  ASSERT_TRUE(SecretVault::LoadOrCreate(key_path_, *store_).ok());
  ASSERT_EQ(unlink(key_path_.c_str()), 0);
  const auto vault = SecretVault::LoadOrCreate(key_path_, *store_);
  EXPECT_EQ(vault.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(vault.status().message(), HasSubstr(absl::StrCat(key_path_, " is missing")));
  EXPECT_NE(access(key_path_.c_str(), F_OK), 0);
}

TEST_F(SecretVaultFileTest, AnotherKeyIsRefusedAtTheStart) {
  ASSERT_TRUE(SecretVault::LoadOrCreate(key_path_, *store_).ok());
  ASSERT_TRUE(common::WriteFileAtomically(key_path_, std::string(64, 'a'), 0600).ok());
  const auto vault = SecretVault::LoadOrCreate(key_path_, *store_);
  EXPECT_EQ(vault.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(vault.status().message(), HasSubstr("is another one"));
}

TEST_F(SecretVaultFileTest, SecretOptionsLeaveTheRecordAndComeBackForADriver) {
  const SecretVault vault = *SecretVault::LoadOrCreate(key_path_, *store_);
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
