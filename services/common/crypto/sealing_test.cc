#include "services/common/crypto/sealing.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/crypto/random.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

SealingKey NewKey() { return SealingKey::FromBytes(SecretString(RandomBytes(32))).value(); }

void ExpectCorrupt(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_STORE_CORRUPT);
}

TEST(SealingTest, OpensWhatItSealed) {
  const SealingKey key = NewKey();
  for (const std::string& plaintext :
       {std::string(), std::string("s"), std::string("zero\0inside", 11), RandomBytes(100'000)}) {
    const auto sealed = key.Seal(plaintext, "uid/field");
    ASSERT_TRUE(sealed.ok()) << sealed.status();
    EXPECT_EQ(sealed->size(), plaintext.size() + 104);
    const auto opened = key.Open(*sealed, "uid/field");
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(opened->view() == plaintext);
  }
}

TEST(SealingTest, TheSameTextIsNeverSealedTheSameWayTwice) {
  const SealingKey key = NewKey();
  EXPECT_NE(key.Seal("text", "a").value(), key.Seal("text", "a").value());
  EXPECT_FALSE(absl::StrContains(key.Seal("a long and telling secret", "").value(), "telling"));
}

TEST(SealingTest, AChangeOfAnyByteIsNoticed) {
  const SealingKey key = NewKey();
  const std::string sealed = key.Seal("a secret", "aad").value();
  for (size_t at = 0; at < sealed.size(); ++at) {
    for (const int bit : {0, 7}) {
      std::string tampered = sealed;
      tampered[at] = static_cast<char>(tampered[at] ^ (1 << bit));
      SCOPED_TRACE(absl::StrCat("byte ", at, ", bit ", bit));
      ExpectCorrupt(key.Open(tampered, "aad").status());
    }
  }
}

TEST(SealingTest, CuttingOrAddingAnywhereIsNoticed) {
  const SealingKey key = NewKey();
  const std::string sealed = key.Seal("a secret", "aad").value();
  for (size_t length = 0; length < sealed.size(); ++length) {
    SCOPED_TRACE(length);
    ExpectCorrupt(key.Open(sealed.substr(0, length), "aad").status());
  }
  ExpectCorrupt(key.Open(sealed + "x", "aad").status());
}

TEST(SealingTest, AValueMovedToAnotherFieldIsNoticed) {
  const SealingKey key = NewKey();
  const std::string sealed = key.Seal("a secret", "uid1/password").value();
  ExpectCorrupt(key.Open(sealed, "uid2/password").status());
  ExpectCorrupt(key.Open(sealed, "").status());
}

TEST(SealingTest, TheDataKeyOfOneValueDoesNotOpenAnother) {
  const SealingKey key = NewKey();
  const std::string one = key.Seal("one", "a").value();
  const std::string two = key.Seal("two", "a").value();
  constexpr size_t kHeader = 76;
  ExpectCorrupt(key.Open(absl::StrCat(one.substr(0, kHeader), two.substr(kHeader)), "a").status());
}

TEST(SealingTest, AnotherKeyIsToldWhichKeyIsWanted) {
  const SealingKey right = NewKey();
  const SealingKey wrong = NewKey();
  const std::string sealed = right.Seal("a secret", "a").value();
  const absl::Status status = wrong.Open(sealed, "a").status();
  ExpectCorrupt(status);
  EXPECT_TRUE(absl::StrContains(status.message(), right.id())) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), wrong.id())) << status;
  EXPECT_EQ(SealedKeyId(sealed).value(), right.id());
  ExpectCorrupt(SealedKeyId("hello").status());
}

TEST(SealingTest, AnotherKeyThatClaimsTheSameIdStillCannotOpen) {
  const SealingKey right = NewKey();
  const SealingKey wrong = NewKey();
  std::string sealed = right.Seal("a secret", "a").value();
  sealed.replace(8, 8, wrong.Seal("", "").value().substr(8, 8));
  ExpectCorrupt(wrong.Open(sealed, "a").status());
}

TEST(SealingTest, RewrappingHandsAValueToANewKey) {
  const SealingKey before = NewKey();
  const SealingKey after = NewKey();
  const std::string sealed = before.Seal("a secret", "a").value();
  const auto rewrapped = Rewrap(sealed, before, after);
  ASSERT_TRUE(rewrapped.ok()) << rewrapped.status();
  EXPECT_EQ(after.Open(*rewrapped, "a")->view(), "a secret");
  ExpectCorrupt(before.Open(*rewrapped, "a").status());
  ExpectCorrupt(after.Open(*rewrapped, "b").status());
  ExpectCorrupt(Rewrap(sealed, after, before).status());
}

TEST(SealingTest, AKeyHas32Bytes) {
  EXPECT_EQ(SealingKey::FromBytes(SecretString(RandomBytes(31))).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SealingTest, APassphraseGivesTheSameKeyWithTheSameParametersOnly) {
  ScryptParameters parameters = ScryptParameters::New();
  parameters.n = 16;
  const auto stored = ScryptParameters::Parse(parameters.ToString());
  ASSERT_TRUE(stored.ok()) << stored.status();
  const SealingKey key = SealingKey::FromPassphrase("open sesame", parameters).value();
  EXPECT_EQ(SealingKey::FromPassphrase("open sesame", *stored)->id(), key.id());
  EXPECT_NE(SealingKey::FromPassphrase("open sesami", *stored)->id(), key.id());
  ScryptParameters other = ScryptParameters::New();
  other.n = 16;
  EXPECT_NE(SealingKey::FromPassphrase("open sesame", other)->id(), key.id());
  EXPECT_EQ(SealingKey::FromPassphrase("", parameters).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SealingKey::FromPassphrase("the defaults work", ScryptParameters::New()).ok());
}

class ScryptTextTest : public testing::TestWithParam<std::string> {};
TEST_P(ScryptTextTest, MalformedIsRefused) {
  EXPECT_EQ(ScryptParameters::Parse(GetParam()).status().code(),
            absl::StatusCode::kInvalidArgument);
}
INSTANTIATE_TEST_SUITE_P(Texts, ScryptTextTest,
                         testing::Values("", "scrypt:16:8:1",
                                         "argon:16:8:1:" + std::string(32, '0'),
                                         "scrypt:15:8:1:" + std::string(32, '0'),
                                         "scrypt:16:0:1:" + std::string(32, '0'),
                                         "scrypt:16:8:1:" + std::string(31, '0'),
                                         "scrypt:16:8:1:" + std::string(32, 'g'),
                                         "scrypt:1073741824:8:1:" + std::string(32, '0'),
                                         "scrypt:16:18446744073709551615:1:" +
                                             std::string(32, '0')));

class KeyFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/sealing.XXXXXX");
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = absl::StrCat(folder_, "/key");
  }
  std::string folder_;
  std::string path_;
};

TEST_F(KeyFileTest, IsCreatedOnceForTheOwnerOnly) {
  EXPECT_EQ(SealingKey::FromFile(path_).status().code(), absl::StatusCode::kNotFound);
  const auto created = SealingKey::FromNewFile(path_);
  ASSERT_TRUE(created.ok()) << created.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(SealingKey::FromFile(path_)->id(), created->id());
  EXPECT_EQ(SealingKey::FromNewFile(path_)->id(), created->id());
}

TEST_F(KeyFileTest, AllThatCreateItAtOnceGetTheSameKey) {
  std::mutex mu;
  std::set<std::string> ids;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto key = SealingKey::FromNewFile(path_);
      const std::lock_guard<std::mutex> lock(mu);
      ids.insert(key.ok() ? key->id() : key.status().ToString());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), 1u);
}

TEST_F(KeyFileTest, OneThatOthersCanReadIsRefused) {
  const std::string digits(64, 'a');
  for (const mode_t mode : {0640, 0604, 0660, 0601}) {
    ASSERT_TRUE(WriteFileAtomically(path_, digits, mode).ok());
    EXPECT_EQ(SealingKey::FromFile(path_).status().code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(SealingKey::FromNewFile(path_).status().code(), absl::StatusCode::kPermissionDenied);
  }
  ASSERT_TRUE(WriteFileAtomically(path_, digits, 0400).ok());
  EXPECT_TRUE(SealingKey::FromFile(path_).ok());
}

TEST_F(KeyFileTest, OneThatHoldsNoKeyIsRefusedAndLeftAlone) {
  for (const std::string& contents : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                                      std::string(64, 'g'), std::string(4096, 'a')}) {
    ASSERT_TRUE(WriteFileAtomically(path_, contents, 0600).ok());
    EXPECT_EQ(SealingKey::FromNewFile(path_).status().code(), absl::StatusCode::kInvalidArgument)
        << contents.size();
    EXPECT_EQ(ReadFile(path_).value(), contents);
  }
}

TEST_F(KeyFileTest, APassphraseIsWhatTheFileHoldsButForALineEnd) {
  ScryptParameters parameters = ScryptParameters::New();
  parameters.n = 16;
  const std::string id = SealingKey::FromPassphrase("open sesame ", parameters)->id();
  for (const char* const text : {"open sesame ", "open sesame \n", "open sesame \r\n"}) {
    ASSERT_TRUE(WriteFileAtomically(path_, text, 0400).ok());
    EXPECT_EQ(SealingKey::FromPassphraseFile(path_, parameters)->id(), id);
  }
  ASSERT_TRUE(WriteFileAtomically(path_, "open sesame \n\n", 0600).ok());
  EXPECT_NE(SealingKey::FromPassphraseFile(path_, parameters)->id(), id);
}

TEST_F(KeyFileTest, APassphraseThatIsEmptyTooLongMissingOrForOthersIsRefused) {
  const ScryptParameters parameters = ScryptParameters::New();
  const auto code = [&] {
    return SealingKey::FromPassphraseFile(path_, parameters).status().code();
  };
  EXPECT_EQ(code(), absl::StatusCode::kNotFound);
  for (const std::string& text : {std::string(), std::string("\n"), std::string(1025, 'a')}) {
    ASSERT_TRUE(WriteFileAtomically(path_, text, 0600).ok());
    EXPECT_EQ(code(), absl::StatusCode::kInvalidArgument) << text.size();
  }
  ASSERT_TRUE(WriteFileAtomically(path_, "open sesame", 0644).ok());
  EXPECT_EQ(code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace machine::common
