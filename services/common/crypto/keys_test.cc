#include "services/common/crypto/keys.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::common {
namespace {

class KeysTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/keys.XXXXXX");
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = absl::StrCat(folder_, "/id");
  }

  /// What a program prints, without the line end.
  static std::string Output(const std::vector<std::string>& argv) {
    const auto result = RunProgram(argv);
    if (!result.ok()) return result.status().ToString();
    EXPECT_TRUE(result->ok()) << argv[0] << ": " << result->stderr_data;
    return std::string(absl::StripSuffix(result->stdout_data, "\n"));
  }

  std::string folder_;
  std::string path_;
};

TEST_F(KeysTest, SshKeygenReadsWhatIsGenerated) {
  const auto pair = GenerateSshKeyPair("dev@machine");
  ASSERT_TRUE(pair.ok()) << pair.status();
  EXPECT_TRUE(absl::StartsWith(pair->public_key, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
  EXPECT_TRUE(absl::EndsWith(pair->public_key, " dev@machine"));
  ASSERT_TRUE(WriteFileAtomically(path_, pair->private_key.view(), 0600).ok());
  ASSERT_TRUE(WriteFileAtomically(path_ + ".pub", pair->public_key + "\n", 0644).ok());

  EXPECT_EQ(Output({"ssh-keygen", "-y", "-f", path_}), pair->public_key);
  const std::string listed = Output({"ssh-keygen", "-l", "-f", path_ + ".pub"});
  EXPECT_EQ(listed, absl::StrCat("256 ", SshFingerprint(pair->public_key).value(),
                                 " dev@machine (ED25519)"));
}

TEST_F(KeysTest, SshKeygenSignsWithAGeneratedKeyAndVerifiesWithItsPublicLine) {
  const auto pair = GenerateSshKeyPair("me");
  ASSERT_TRUE(pair.ok()) << pair.status();
  const std::string data = folder_ + "/data";
  ASSERT_TRUE(WriteFileAtomically(path_, pair->private_key.view(), 0600).ok());
  ASSERT_TRUE(WriteFileAtomically(data, "hello", 0600).ok());
  ASSERT_TRUE(
      WriteFileAtomically(folder_ + "/allowed", absl::StrCat("me ", pair->public_key, "\n"), 0600)
          .ok());
  Output({"ssh-keygen", "-q", "-Y", "sign", "-n", "test", "-f", path_, data});
  const auto verified = RunProgram({"ssh-keygen", "-Y", "verify", "-n", "test", "-I", "me", "-f",
                                    folder_ + "/allowed", "-s", data + ".sig"},
                                   {.stdin_data = "hello"});
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_TRUE(verified->ok()) << verified->stdout_data << verified->stderr_data;
}

TEST_F(KeysTest, PaddingIsRightForCommentsOfAnyLength) {
  for (size_t length = 0; length <= 8; ++length) {
    const auto pair = GenerateSshKeyPair(std::string(length, 'c'));
    ASSERT_TRUE(WriteFileAtomically(path_, pair->private_key.view(), 0600).ok());
    EXPECT_EQ(Output({"ssh-keygen", "-y", "-f", path_}), pair->public_key);
  }
}

TEST_F(KeysTest, TwoKeysDiffer) {
  EXPECT_NE(GenerateSshKeyPair("")->public_key, GenerateSshKeyPair("")->public_key);
}

TEST_F(KeysTest, ALineEndInTheCommentIsRefused) {
  EXPECT_EQ(GenerateSshKeyPair("a\nssh-rsa AAAA").status().code(),
            absl::StatusCode::kInvalidArgument);
  const auto pair = GenerateSshKeyPair("");
  EXPECT_EQ(SshPublicKey(pair->private_key.view(), "a\nb").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(KeysTest, AnEd25519KeyAsPemGivesThePublicKeyOfRfc8410) {
  // The example of RFC 8410, sections 10.1 and 10.3.
  const auto line = SshPublicKey(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
      "-----END PRIVATE KEY-----\n",
      "me");
  ASSERT_TRUE(line.ok()) << line.status();
  std::string blob;
  ASSERT_TRUE(absl::Base64Unescape(
      absl::StripSuffix(absl::StripPrefix(*line, "ssh-ed25519 "), " me"), &blob));
  EXPECT_EQ(absl::BytesToHexString(blob.substr(19)),
            "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
}

struct ForeignKeyCase {
  absl::string_view label;
  std::vector<std::string> keygen;
};
class ForeignKeyTest : public KeysTest, public testing::WithParamInterface<ForeignKeyCase> {};
TEST_P(ForeignKeyTest, GivesTheSamePublicKeyAsSshKeygen) {
  std::vector<std::string> argv = {"ssh-keygen", "-q", "-N", "", "-C", "a comment", "-f", path_};
  argv.insert(argv.end(), GetParam().keygen.begin(), GetParam().keygen.end());
  Output(argv);
  const std::string expected = Output({"ssh-keygen", "-y", "-f", path_});
  const auto line = SshPublicKey(ReadFile(path_).value());
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(*line, expected);
}
INSTANTIATE_TEST_SUITE_P(Kinds, ForeignKeyTest,
                         testing::ValuesIn<ForeignKeyCase>({
                             {"Ed25519", {"-t", "ed25519"}},
                             {"Rsa", {"-t", "rsa", "-b", "2048"}},
                             {"RsaPkcs1", {"-t", "rsa", "-b", "2048", "-m", "PEM"}},
                             {"RsaPkcs8", {"-t", "rsa", "-b", "2048", "-m", "PKCS8"}},
                             {"EcdsaP256", {"-t", "ecdsa", "-b", "256"}},
                             {"EcdsaP384Pem", {"-t", "ecdsa", "-b", "384", "-m", "PEM"}},
                             {"EcdsaP521Pkcs8", {"-t", "ecdsa", "-b", "521", "-m", "PKCS8"}},
                         }),
                         [](const auto& info) { return std::string(info.param.label); });

class ProtectedKeyTest : public KeysTest, public testing::WithParamInterface<const char*> {};
TEST_P(ProtectedKeyTest, IsRefusedWithTheReason) {
  Output({"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "passphrase", "-m", GetParam(), "-f",
          path_});
  const absl::Status status = SshPublicKey(ReadFile(path_).value()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "the private key is protected by a passphrase");
}
INSTANTIATE_TEST_SUITE_P(Formats, ProtectedKeyTest, testing::Values("RFC4716", "PEM", "PKCS8"));

TEST_F(KeysTest, WhatIsNoPrivateKeyIsRefused) {
  const auto pair = GenerateSshKeyPair("c");
  const std::string whole(pair->private_key.view());
  EXPECT_EQ(SshPublicKey("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SshPublicKey("hello").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SshPublicKey(pair->public_key).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(SshPublicKey(whole.substr(0, whole.size() / 2)).ok());
}

TEST_F(KeysTest, AnOpensshKeyCutShortAnywhereIsRefusedCleanly) {
  const auto pair = GenerateSshKeyPair("c");
  const std::string whole(pair->private_key.view());
  const std::string begin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
  const std::string end = "-----END OPENSSH PRIVATE KEY-----\n";
  std::string bytes;
  ASSERT_TRUE(
      absl::Base64Unescape(absl::StripSuffix(absl::StripPrefix(whole, begin), end), &bytes));
  // The padding at the very end does not matter.
  for (size_t length = 0; length + 16 < bytes.size(); ++length) {
    const std::string cut =
        absl::StrCat(begin, absl::Base64Escape(bytes.substr(0, length)), "\n", end);
    EXPECT_EQ(SshPublicKey(cut).status().code(), absl::StatusCode::kInvalidArgument) << length;
  }
}

TEST_F(KeysTest, FingerprintsAreOfPublicKeysOnly) {
  EXPECT_EQ(SshFingerprint("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SshFingerprint("ssh-rsa AAAA").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SshFingerprint("ssh-rsa !!!!").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace machine::common
