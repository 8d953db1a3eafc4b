#include "services/common/crypto/signing.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "absl/strings/str_cat.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::common {
namespace {

// What the program openssl prints.
std::string Openssl(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "openssl");
  RunOptions options;
  options.stdin_data = input;
  const auto result = RunProgram(arguments, options);
  EXPECT_TRUE(result.ok() && result->ok()) << (result.ok() ? result->stderr_data : "");
  return result.ok() ? result->stdout_data : "";
}

TEST(SignRs256Test, OpensslVerifiesTheSignatureAndNoOther) {
  std::string folder = absl::StrCat(testing::TempDir(), "/signing.XXXXXX");
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string key =
      Openssl({"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  const std::string public_key = folder + "/public.pem";
  Openssl({"pkey", "-pubout", "-out", public_key}, key);
  const auto signature = SignRs256(key, "header.claims");
  ASSERT_TRUE(signature.ok()) << signature.status();
  const std::string file = folder + "/signature";
  ASSERT_TRUE(WriteFileAtomically(file, *signature, 0600).ok());
  const std::vector<std::string> verify = {"openssl",  "dgst",       "-sha256", "-verify",
                                           public_key, "-signature", file};
  RunOptions options;
  options.stdin_data = "header.claims";
  EXPECT_TRUE(RunProgram(verify, options)->ok());
  options.stdin_data = "header.other";
  EXPECT_FALSE(RunProgram(verify, options)->ok());
}

TEST(SignRs256Test, OtherKeysAreRefused) {
  const std::string elliptic =
      Openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
  EXPECT_EQ(SignRs256(elliptic, "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SignRs256("no key", "x").status().code(), absl::StatusCode::kInvalidArgument);
  const std::string locked =
      Openssl({"genpkey", "-algorithm", "RSA", "-aes-256-cbc", "-pass", "pass:secret"});
  EXPECT_EQ(SignRs256(locked, "x").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace machine::common
