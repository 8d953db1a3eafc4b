// TLS with certificates of our own authority, and Unix sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/http/http_client.h"
#include "services/common/http/test_server.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

void ExpectNotTrusted(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_EQ(ReasonOf(status), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) << status;
  EXPECT_EQ(ErrorMetadataOf(status, "host"), "127.0.0.1");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the certificate of 127.0.0.1 is not trusted ("));
}

class HttpTlsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = "/tmp/http.XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }

  std::string Save(absl::string_view name, absl::string_view text) {
    std::string path = absl::StrCat(folder_, "/", name);
    EXPECT_TRUE(WriteFileAtomically(path, text, 0600).ok());
    return path;
  }

  /// A server that answers "secure" at "/" as `name`, and wants client certificates if told so.
  std::unique_ptr<TestServer> Serve(const std::string& name, bool wants_client = false) {
    const IssuedCert cert = authority_.IssueServer({name}, absl::Hours(1)).value();
    const std::string ca = Save("ca.pem", authority_.cert_pem());
    auto server = std::make_unique<httplib::SSLServer>(
        Save("server.pem", cert.cert_pem).c_str(), Save("server.key", cert.key_pem.view()).c_str(),
        wants_client ? ca.c_str() : nullptr);
    EXPECT_TRUE(server->is_valid());
    return std::make_unique<TestServer>(std::move(server), [](httplib::Server& s) {
      s.Get("/", [](const httplib::Request&, httplib::Response& response) {
        response.set_content("secure", "text/plain");
      });
      s.Get("/down", [](const httplib::Request&, httplib::Response& response) {
        response.set_redirect("http://127.0.0.1:1/");
      });
    });
  }

  const CertAuthority authority_ = CertAuthority::Create("test", absl::Hours(1)).value();
  std::string folder_;
};

TEST_F(HttpTlsTest, TheRightAuthorityIsTrusted) {
  const auto server = Serve("127.0.0.1");
  HttpClient client;
  const auto response =
      client.Send({.url = server->url("/", "https"), .tls = {.ca_pem = authority_.cert_pem()}});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "secure");
}

TEST_F(HttpTlsTest, AnotherAuthorityIsRefusedAlsoWhenAConnectionIsOpen) {
  const auto server = Serve("127.0.0.1");
  const CertAuthority other = CertAuthority::Create("test", absl::Hours(1)).value();
  HttpClient client;
  HttpRequest request = {.url = server->url("/", "https"),
                         .tls = {.ca_pem = authority_.cert_pem()}};
  ASSERT_TRUE(client.Send(request).ok());
  request.tls.ca_pem = other.cert_pem();
  const absl::Status status = client.Send(request).status();
  ExpectNotTrusted(status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the authority that was given has not"));
}

TEST_F(HttpTlsTest, WithoutAnAuthorityThoseOfTheSystemCount) {
  const auto server = Serve("127.0.0.1");
  HttpClient client;
  const absl::Status status = client.Send({.url = server->url("/", "https")}).status();
  ExpectNotTrusted(status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("update-ca-certificates"));
}

TEST_F(HttpTlsTest, AnotherNameIsRefused) {
  const auto server = Serve("127.0.0.2");
  HttpClient client;
  const absl::Status status =
      client.Send({.url = server->url("/", "https"), .tls = {.ca_pem = authority_.cert_pem()}})
          .status();
  ExpectNotTrusted(status);
}

TEST_F(HttpTlsTest, AServerThatWantsAClientCertificateGetsIt) {
  const auto server = Serve("127.0.0.1", /*wants_client=*/true);
  const IssuedCert cert = authority_.IssueClient({.common_name = "alice"}, absl::Hours(1)).value();
  HttpClient client;
  HttpRequest request = {.url = server->url("/", "https"),
                         .tls = {.ca_pem = authority_.cert_pem()},
                         .max_attempts = 1};
  EXPECT_FALSE(client.Send(request).ok()) << "without a certificate";
  request.tls.client_cert_pem = cert.cert_pem;
  request.tls.client_key_pem = cert.key_pem;
  const auto response = client.Send(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "secure");
}

TEST_F(HttpTlsTest, AClientsKeyThatDoesNotFitIsNamedAsTheCause) {
  const auto server = Serve("127.0.0.1");
  HttpClient client;
  const IssuedCert one = authority_.IssueClient({.common_name = "a"}, absl::Hours(1)).value();
  const IssuedCert two = authority_.IssueClient({.common_name = "a"}, absl::Hours(1)).value();
  EXPECT_EQ(client
                .Send({.url = server->url("/", "https"),
                       .tls = {.ca_pem = authority_.cert_pem(),
                               .client_cert_pem = one.cert_pem,
                               .client_key_pem = two.key_pem}})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpTlsTest, ARedirectNeverLeavesTls) {
  const auto server = Serve("127.0.0.1");
  HttpClient client;
  EXPECT_EQ(client
                .Send({.url = server->url("/down", "https"),
                       .tls = {.ca_pem = authority_.cert_pem()},
                       .max_redirects = 5})
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(HttpTlsTest, AUnixSocketIsSpokenToAndItsConnectionReused) {
  const std::string path = folder_ + "/engine.sock";
  std::string head;
  RawServer server(
      [&](const std::string& request) {
        head = request;
        return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
      },
      path);
  HttpClient client;
  for (int i = 0; i < 2; ++i) {
    const auto response =
        client.Send({.url = "http://docker/v1.41/_ping", .unix_socket_path = path});
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, "OK");
  }
  EXPECT_THAT(head, StartsWith("GET /v1.41/_ping HTTP/1.1\r\nHost: docker\r\n"));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpTlsTest, AUnixSocketThatIsNotThereIsUnavailableAndSaysWhy) {
  HttpClient client;
  const absl::Status status = client
                                  .Send({.url = "http://docker/_ping",
                                         .unix_socket_path = folder_ + "/none.sock",
                                         .max_attempts = 1})
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace machine::common
