#include "cli/commands/engine_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/clock/clock.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "tests/fakes/engine/tls_engine.h"
#include "tests/integration/listener.h"

namespace machine::cli {
namespace {

using ::testing::HasSubstr;

class EngineCheckTest : public testing::Test {
 protected:
  EngineCheckTest()
      : ca_(common::CertAuthority::Create("ours", absl::Hours(24)).value()),
        other_(common::CertAuthority::Create("other", absl::Hours(24)).value()),
        folder_(absl::StrCat(testing::TempDir(), "/",
                             testing::UnitTest::GetInstance()->current_test_info()->name())) {
    EXPECT_TRUE(common::EnsureDir(folder_, 0700).ok());
    Put("ca.pem", ca_.cert_pem());
    PutClientOf(ca_);
  }

  void Put(absl::string_view name, absl::string_view text) {
    EXPECT_TRUE(common::WriteFileAtomically(absl::StrCat(folder_, "/", name), text, 0600).ok());
  }
  void PutClientOf(const common::CertAuthority& authority) {
    const auto client = authority.IssueClient({.common_name = "me"}, absl::Hours(1));
    ASSERT_TRUE(client.ok()) << client.status();
    Put("cert.pem", client->cert_pem);
    Put("key.pem", client->key_pem.view());
  }
  void Serve(const std::vector<std::string>& names) { Serve(names, ca_); }
  void Serve(const std::vector<std::string>& names, const common::CertAuthority& authority) {
    const auto server = authority.IssueServer(names, absl::Hours(1));
    ASSERT_TRUE(server.ok()) << server.status();
    engine_ = std::make_unique<fakes::TlsEngine>(
        listener_.fd(),
        fakes::TlsEngine::Certificates{.cert_pem = server->cert_pem,
                                       .key_pem = std::string(server->key_pem.view()),
                                       .ca_pem = ca_.cert_pem()});
  }
  absl::Status Check(absl::Duration timeout = absl::Seconds(10)) const {
    return CheckEngine({"127.0.0.1", absl::StrCat(listener_.port()), folder_}, timeout);
  }
  std::string Cause() const {
    const absl::Status status = Check();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    return std::string(status.message());
  }

  const common::CertAuthority ca_;
  const common::CertAuthority other_;
  const std::string folder_;
  tests::Listener listener_;
  std::unique_ptr<fakes::TlsEngine> engine_;
};

TEST_F(EngineCheckTest, AnEngineThatTrustsUsAnswers) {
  Serve({"127.0.0.1"});
  const absl::Status status = Check();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(EngineCheckTest, ACertificateOfAnotherAuthorityIsTheOriginalsThreeLines) {
  Serve({"127.0.0.1"});
  Put("ca.pem", other_.cert_pem());
  const std::string cause = Cause();
  EXPECT_THAT(cause, testing::StartsWith(absl::StrCat(
                         "Error checking and/or regenerating the certs: There was an error "
                         "validating certificates for host \"127.0.0.1:",
                         listener_.port(), "\": ")));
  EXPECT_THAT(cause,
              testing::EndsWith(
                  "\nYou can attempt to regenerate them using 'docker-machine regenerate-certs "
                  "[name]'.\nBe advised that this will trigger a Docker daemon restart which might "
                  "stop running containers."));
}

TEST_F(EngineCheckTest, ACertificateForAnotherAddressIsNamed) {
  Serve({"192.0.2.1"});
  EXPECT_THAT(Cause(), HasSubstr("IP address mismatch"));
}

TEST_F(EngineCheckTest, ACertificateThatHasEndedIsNamed) {
  const common::FakeClock yesterday(absl::Now() - absl::Hours(25));
  const auto then = common::CertAuthority::FromPem(ca_.cert_pem(), ca_.key_pem().view(), yesterday);
  ASSERT_TRUE(then.ok()) << then.status();
  Serve({"127.0.0.1"}, *then);
  EXPECT_THAT(Cause(), HasSubstr("certificate has expired"));
}

TEST_F(EngineCheckTest, ACertificateOfOursThatHasEndedIsHeardFromTheEngine) {
  const common::FakeClock yesterday(absl::Now() - absl::Hours(25));
  const auto then = common::CertAuthority::FromPem(ca_.cert_pem(), ca_.key_pem().view(), yesterday);
  ASSERT_TRUE(then.ok()) << then.status();
  Serve({"127.0.0.1"});
  PutClientOf(*then);
  EXPECT_THAT(Cause(), HasSubstr("alert certificate expired\nYou can attempt to regenerate"));
}

TEST_F(EngineCheckTest, AnEngineThatRefusesOurCertificateIsHeard) {
  Serve({"127.0.0.1"});
  PutClientOf(other_);
  EXPECT_THAT(Cause(), HasSubstr("alert"));
}

TEST_F(EngineCheckTest, MissingCertificatesAreSaid) {
  Serve({"127.0.0.1"});
  Put("ca.pem", "");
  EXPECT_THAT(Cause(), HasSubstr("cannot be used"));
}

TEST_F(EngineCheckTest, SilenceIsNotTheCertificatesFault) {
  const absl::Status status = Check(absl::Milliseconds(50));
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(": the engine does not answer\n"));
}

TEST_F(EngineCheckTest, NobodyThereIsARefusedConnection) {
  listener_.Refuse();
  const absl::Status status = Check();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat(": dial tcp 127.0.0.1:", listener_.port(),
                                     ": connection refused\nYou can attempt")));
}

}  // namespace
}  // namespace machine::cli
