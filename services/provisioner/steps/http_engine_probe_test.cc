// The probe of an engine against servers with certificates of our own authority.
#include "services/provisioner/steps/http_engine_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/http/test_server.h"
#include "services/common/status/status.h"

namespace machine::provisioner {
namespace {

using ::machine::common::CertAuthority;
using ::testing::HasSubstr;

class HttpEngineProbeTest : public testing::Test {
 protected:
  HttpEngineProbeTest() : folder_("/tmp/probe.XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    const common::IssuedCert cert = authority_.IssueServer({"127.0.0.1"}, absl::Hours(1)).value();
    engine_ = std::make_unique<common::TestServer>(
        std::make_unique<httplib::SSLServer>(Save("server.pem", cert.cert_pem).c_str(),
                                             Save("server.key", cert.key_pem.view()).c_str(),
                                             Save("ca.pem", authority_.cert_pem()).c_str()),
        [](httplib::Server& server) {
          server.Get("/version", [](const httplib::Request&, httplib::Response& response) {
            response.set_content(R"({"Version":"20.10.24","ApiVersion":"1.41"})",
                                 "application/json");
          });
        });
  }

  std::string url() const { return absl::StrCat("tcp://127.0.0.1:", engine_->port()); }

  EngineTls Tls(const std::string& ca_pem) const {
    const common::IssuedCert client =
        authority_.IssueClient({.common_name = "ada"}, absl::Hours(1)).value();
    return {.ca_pem = ca_pem,
            .client_cert_pem = client.cert_pem,
            .client_key_pem = std::string(client.key_pem.view())};
  }

  const CertAuthority authority_ = CertAuthority::Create("test", absl::Hours(1)).value();
  common::CallScope call_{
      absl::Now() + absl::Minutes(1), std::make_shared<common::Cancellation>(), {}};

 private:
  std::string Save(absl::string_view name, absl::string_view text) const {
    std::string path = absl::StrCat(folder_, "/", name);
    EXPECT_TRUE(common::WriteFileAtomically(path, text, 0600).ok());
    return path;
  }

  std::string folder_;
  std::unique_ptr<common::TestServer> engine_;

 protected:
  // After the server: its idle connections would hold that one up.
  common::HttpClient http_;
  const HttpEngineProbe probe_{http_};
};

TEST_F(HttpEngineProbeTest, AnEngineOfOurAuthorityTellsItsVersion) {
  const auto version = probe_.Ask(call_, url(), Tls(authority_.cert_pem()));
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->version, "20.10.24");
  EXPECT_EQ(version->api_version, "1.41");
}

TEST_F(HttpEngineProbeTest, AnotherAuthoritysCertificateIsFinalAndSaysWhatToDo) {
  const CertAuthority other = CertAuthority::Create("test", absl::Hours(1)).value();
  const EngineTls tls = Tls(other.cert_pem());
  for (const absl::Status& status :
       {probe_.Ask(call_, url(), tls).status(),
        probe_.Send(call_, url(), tls, "GET", "/version", "").status(),
        CheckEngine(call_, probe_, url(), tls, absl::Minutes(1)).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED);
    EXPECT_EQ(common::ErrorMetadataOf(status, "docker_url"), url());
    EXPECT_THAT(
        std::string(status.message()),
        HasSubstr(absl::StrCat("the certificate of the engine at ", url(), " is not trusted (")));
    EXPECT_THAT(std::string(status.message()), HasSubstr("docker-machine regenerate-certs"));
  }
}

TEST_F(HttpEngineProbeTest, AnEngineWithoutTlsIsNoEngineOfOurs) {
  const common::TestServer plain([](httplib::Server&) {});
  common::HttpClient http;
  const absl::Status status =
      HttpEngineProbe(http)
          .Ask(call_, absl::StrCat("tcp://127.0.0.1:", plain.port()), Tls(authority_.cert_pem()))
          .status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_ENGINE_UNREACHABLE) << status;
}

TEST_F(HttpEngineProbeTest, AUrlOfAnotherFormIsRefused) {
  for (const absl::string_view url : {"http://127.0.0.1:2376", "tcp://", "tcp://host:1/path", ""}) {
    EXPECT_EQ(probe_.Ask(call_, url, std::nullopt).status().code(),
              absl::StatusCode::kInvalidArgument)
        << url;
  }
}

}  // namespace
}  // namespace machine::provisioner
