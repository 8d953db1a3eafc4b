#include "services/common/rpc/identity.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"

namespace machine::common {
namespace {

constexpr absl::Duration kLifetime = absl::Hours(1);

class IdentityTest : public testing::Test {
 protected:
  IdentityTest() {
    const IssuedCert first = *ca_.IssueServer({"localhost"}, kLifetime);
    Write("cert.pem", first.cert_pem);
    Write("key.pem", std::string(first.key_pem.view()));
    Write("ca.pem", ca_.cert_pem());
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(WriteFileAtomically(Path(name), text, 0644).ok());
  }
  std::string Read(const std::string& name) const { return ReadFile(Path(name)).value_or(""); }
  bool Exists(const std::string& name) const { return std::filesystem::exists(Path(name)); }
  bool PairBelongsTogether() const {
    return KeyMatchesCert(Read("key.pem"), Read("cert.pem")).ok();
  }
  std::string Sign(const std::string& request) const {
    return ca_.SignServerRequest(request, {"localhost"}, kLifetime)->cert_pem;
  }

  const std::string folder_ = [] {
    std::string path = testing::TempDir() + "/identity-XXXXXX";
    return std::string(mkdtemp(path.data()));
  }();
  const CertAuthority ca_ = *CertAuthority::Create("drivers", kLifetime);
  const RpcServerTls tls_{.address = "",
                          .cert_path = Path("cert.pem"),
                          .key_path = Path("key.pem"),
                          .client_ca_path = Path("ca.pem")};
  IdentityFiles files_{tls_};
};

TEST_F(IdentityTest, ANewCertificateTakesThePlaceOfTheOldOne) {
  const std::string old_key = Read("key.pem");
  const absl::StatusOr<std::string> request = files_.MakeRequest();
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(Read("key.pem"), old_key);  // Nothing changes until the certificate is there.
  const std::string cert = Sign(*request);
  EXPECT_EQ(files_.Install(cert), absl::OkStatus());
  EXPECT_EQ(Read("cert.pem"), cert);
  EXPECT_NE(Read("key.pem"), old_key);
  EXPECT_TRUE(PairBelongsTogether());
  EXPECT_FALSE(Exists("cert.pem.next"));
  for (const char* name : {"cert.pem", "key.pem"}) {
    struct stat info {};
    ASSERT_EQ(stat(Path(name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << name;
  }
  EXPECT_EQ(files_.Install(cert), absl::OkStatus());  // Its answer may have been lost.
  EXPECT_TRUE(PairBelongsTogether());
}

TEST_F(IdentityTest, WhatDoesNotBelongHereIsRefused) {
  const std::string before = Read("cert.pem") + Read("key.pem");
  EXPECT_TRUE(absl::IsFailedPrecondition(files_.Install(before)));  // Nothing was requested.
  const std::string first = *files_.MakeRequest();
  EXPECT_TRUE(absl::IsInvalidArgument(files_.Install("")));
  EXPECT_TRUE(absl::IsInvalidArgument(files_.Install("no certificate")));
  EXPECT_TRUE(absl::IsFailedPrecondition(files_.Install(Read("cert.pem"))));
  const CertAuthority other = *CertAuthority::Create("others", kLifetime);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      files_.Install(other.SignServerRequest(first, {"localhost"}, kLifetime)->cert_pem)));
  ASSERT_TRUE(files_.MakeRequest().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(files_.Install(Sign(first))));  // The last one counts.
  EXPECT_EQ(Read("cert.pem") + Read("key.pem"), before);
}

TEST_F(IdentityTest, AReplacementThatWasCutOffIsEndedOrUndone) {
  EXPECT_EQ(files_.Recover(), absl::OkStatus());
  const std::string before = Read("cert.pem");
  const IssuedCert second = *ca_.IssueServer({"localhost"}, kLifetime);

  Write("cert.pem.next", second.cert_pem);  // Killed before the key was written.
  EXPECT_EQ(files_.Recover(), absl::OkStatus());
  EXPECT_FALSE(Exists("cert.pem.next"));
  EXPECT_EQ(Read("cert.pem"), before);
  EXPECT_TRUE(PairBelongsTogether());

  Write("cert.pem.next", second.cert_pem);  // Killed after that.
  Write("key.pem", std::string(second.key_pem.view()));
  EXPECT_EQ(files_.Recover(), absl::OkStatus());
  EXPECT_FALSE(Exists("cert.pem.next"));
  EXPECT_EQ(Read("cert.pem"), second.cert_pem);
  EXPECT_TRUE(PairBelongsTogether());
}

TEST_F(IdentityTest, AFolderThatCannotBeWrittenIsNamed) {
  IdentityFiles files({.address = "",
                       .cert_path = "/proc/none/cert.pem",
                       .key_path = Path("key.pem"),
                       .client_ca_path = Path("ca.pem")});
  const absl::Status status = files.MakeRequest().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_NE(status.message().find("/proc/none"), std::string::npos) << status;
}

}  // namespace
}  // namespace machine::common
