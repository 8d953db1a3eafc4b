#include "services/common/crypto/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::common {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kYear = absl::Hours(24 * 365);

class CertificatesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/certs.XXXXXX");
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }

  CertAuthority NewAuthority(absl::string_view organization = "machine") {
    return CertAuthority::Create(organization, 3 * kYear, clock_).value();
  }

  std::string Save(absl::string_view name, absl::string_view text) {
    std::string path = absl::StrCat(folder_, "/", name);
    EXPECT_TRUE(WriteFileAtomically(path, text, 0600).ok());
    return path;
  }

  /// What `openssl verify` answers at the time of the clock, "OK" or its complaint.
  std::string Verify(const CertAuthority& authority, const IssuedCert& issued,
                     const std::vector<std::string>& options) {
    std::vector<std::string> argv = {"openssl",
                                     "verify",
                                     "-x509_strict",
                                     "-no-CApath",
                                     "-no-CAstore",
                                     "-attime",
                                     absl::StrCat(absl::ToUnixSeconds(clock_.Now())),
                                     "-CAfile",
                                     Save("ca.pem", authority.cert_pem())};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back(Save("cert.pem", issued.cert_pem));
    const auto result = RunProgram(argv);
    if (!result.ok()) return result.status().ToString();
    return result->ok() ? "OK" : result->stderr_data;
  }

  FakeClock clock_;
  std::string folder_;
};

TEST_F(CertificatesTest, OpensslAcceptsAServersChainForItsNamesAndUse) {
  const CertAuthority authority = NewAuthority();
  const auto issued =
      authority.IssueServer({"10.0.0.5", "fd00::5", "dev.example", "*.dev.example"}, kYear);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(Verify(authority, *issued, {"-purpose", "sslserver", "-verify_ip", "10.0.0.5"}), "OK");
  EXPECT_EQ(Verify(authority, *issued, {"-verify_ip", "fd00::5"}), "OK");
  EXPECT_EQ(Verify(authority, *issued, {"-verify_hostname", "dev.example"}), "OK");
  EXPECT_EQ(Verify(authority, *issued, {"-verify_hostname", "a.dev.example"}), "OK");
  EXPECT_THAT(Verify(authority, *issued, {"-verify_ip", "10.0.0.6"}), HasSubstr("mismatch"));
  EXPECT_THAT(Verify(authority, *issued, {"-verify_hostname", "prod.example"}),
              HasSubstr("mismatch"));
  EXPECT_THAT(Verify(authority, *issued, {"-purpose", "sslclient"}), HasSubstr("purpose"));
}

TEST_F(CertificatesTest, OpensslAcceptsAClientsChainForItsUse) {
  const CertAuthority authority = NewAuthority();
  const auto issued = authority.IssueClient(
      {.common_name = "alice", .organization = "machine", .uri = "machine://user/alice"}, kYear);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(Verify(authority, *issued, {"-purpose", "sslclient"}), "OK");
  EXPECT_THAT(Verify(authority, *issued, {"-purpose", "sslserver"}), HasSubstr("purpose"));
}

TEST_F(CertificatesTest, AServerThatAlsoDialsHasBothUses) {
  const CertAuthority authority = NewAuthority();
  const auto issued = authority.IssueServer({"a"}, kYear, ServerUse::kServerAndClient);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_EQ(Verify(authority, *issued, {"-purpose", "sslserver"}), "OK");
  EXPECT_EQ(Verify(authority, *issued, {"-purpose", "sslclient"}), "OK");
}

TEST_F(CertificatesTest, AnotherAuthorityOfTheSameNameIsNotTaken) {
  const CertAuthority one = NewAuthority();
  const CertAuthority other = NewAuthority();
  const auto issued = one.IssueServer({"a"}, kYear);
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_NE(Verify(other, *issued, {}), "OK");
  EXPECT_TRUE(VerifySignedBy(issued->cert_pem, one.cert_pem()).ok());
  EXPECT_EQ(VerifySignedBy(issued->cert_pem, other.cert_pem()).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(VerifySignedBy(one.cert_pem(), issued->cert_pem).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CertificatesTest, TheTextOfACertificateHasWhatTheProfileAsksFor) {
  const CertAuthority authority = NewAuthority();
  const auto issued = authority.IssueServer({"10.0.0.5"}, kYear);
  ASSERT_TRUE(issued.ok()) << issued.status();
  const auto text = [&](absl::string_view pem) {
    return RunProgram({"openssl", "x509", "-noout", "-text", "-in", Save("text.pem", pem)})
        ->stdout_data;
  };
  const std::string leaf = text(issued->cert_pem);
  EXPECT_THAT(leaf, HasSubstr("Basic Constraints: critical\n                CA:FALSE"));
  EXPECT_THAT(leaf, HasSubstr("Key Usage: critical\n                Digital Signature"));
  EXPECT_THAT(leaf, HasSubstr("TLS Web Server Authentication"));
  EXPECT_THAT(leaf, HasSubstr("Subject Key Identifier"));
  EXPECT_THAT(leaf, HasSubstr("Authority Key Identifier"));
  EXPECT_THAT(leaf, HasSubstr("NIST CURVE: P-256"));
  EXPECT_THAT(leaf, HasSubstr("ecdsa-with-SHA256"));
  const std::string ca = text(authority.cert_pem());
  EXPECT_THAT(ca, HasSubstr("Basic Constraints: critical\n                CA:TRUE, pathlen:0"));
  EXPECT_THAT(ca, HasSubstr("Key Usage: critical\n                Certificate Sign, CRL Sign"));
}

TEST_F(CertificatesTest, ParsingGivesBackWhatWasPutIn) {
  const CertAuthority authority = NewAuthority("my organization");
  const auto server = authority.IssueServer({"dev.example", "10.0.0.5", "fd00::5"}, kYear);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto info = CertInfo::Parse(server->cert_pem);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->subject, "CN=dev.example,O=my organization");
  EXPECT_EQ(info->issuer, "O=my organization");
  EXPECT_EQ(info->common_name, "dev.example");
  EXPECT_EQ(info->organization, "my organization");
  EXPECT_THAT(info->dns_names, ElementsAre("dev.example"));
  EXPECT_THAT(info->ip_addresses, ElementsAre("10.0.0.5", "fd00::5"));
  EXPECT_THAT(info->uris, IsEmpty());
  EXPECT_EQ(info->serial, server->serial);
  EXPECT_EQ(info->serial.size(), 32u);
  EXPECT_EQ(info->fingerprint.size(), 64u);
  EXPECT_FALSE(info->is_ca);
  EXPECT_TRUE(CertInfo::Parse(authority.cert_pem())->is_ca);

  const auto client = authority.IssueClient({.uri = "machine://user/bob"}, kYear);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_THAT(CertInfo::Parse(client->cert_pem)->uris, ElementsAre("machine://user/bob"));
  EXPECT_NE(client->serial, server->serial);
}

TEST_F(CertificatesTest, TimesAreBackdatedAndNeverBeyondTheAuthority) {
  const CertAuthority authority = NewAuthority();
  EXPECT_EQ(authority.not_after(), clock_.Now() + 3 * kYear);
  const auto brief = authority.IssueServer({"a"}, absl::Hours(1));
  ASSERT_TRUE(brief.ok()) << brief.status();
  EXPECT_EQ(brief->not_before, clock_.Now() - absl::Minutes(5));
  EXPECT_EQ(brief->not_after, clock_.Now() + absl::Hours(1));
  const auto info = CertInfo::Parse(brief->cert_pem);
  EXPECT_EQ(info->not_before, brief->not_before);
  EXPECT_EQ(info->not_after, brief->not_after);
  EXPECT_EQ(authority.IssueServer({"a"}, 30 * kYear)->not_after, authority.not_after());

  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(Verify(authority, *brief, {}), HasSubstr("expired"));
  clock_.Advance(3 * kYear);
  EXPECT_EQ(authority.IssueServer({"a"}, kYear).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CertificatesTest, DatesAfter2050AreWrittenAsTheyMustBe) {
  FakeClock late(absl::FromUnixSeconds(3'000'000'000));
  const auto authority = CertAuthority::Create("machine", kYear, late);
  ASSERT_TRUE(authority.ok()) << authority.status();
  EXPECT_EQ(CertInfo::Parse(authority->cert_pem())->not_after, late.Now() + kYear);
}

TEST_F(CertificatesTest, AnAuthorityIsLoadedFromItsFiles) {
  const CertAuthority authority = NewAuthority();
  const auto loaded =
      CertAuthority::FromPem(authority.cert_pem(), authority.key_pem().view(), clock_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->cert_pem(), authority.cert_pem());
  EXPECT_EQ(loaded->key_pem().view(), authority.key_pem().view());
  EXPECT_EQ(Verify(authority, loaded->IssueServer({"a"}, kYear).value(), {}), "OK");
}

TEST_F(CertificatesTest, AnRsaAuthorityMadeElsewhereCanSign) {
  const std::string cert = folder_ + "/rsa.pem";
  const std::string key = folder_ + "/rsa.key";
  const auto made = RunProgram({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                                "/O=old", "-days", "30", "-addext", "keyUsage=critical,keyCertSign",
                                "-keyout", key, "-out", cert});
  ASSERT_TRUE(made.ok() && made->ok()) << made->stderr_data;
  const auto authority = CertAuthority::FromPem(ReadFile(cert).value(), ReadFile(key).value());
  ASSERT_TRUE(authority.ok()) << authority.status();
  clock_.JumpWallClock(absl::Now() - clock_.Now());
  EXPECT_EQ(Verify(*authority, authority->IssueServer({"a"}, absl::Hours(1)).value(), {}), "OK");
}

TEST_F(CertificatesTest, FilesThatAreNoAuthorityAreRefused) {
  const CertAuthority authority = NewAuthority();
  const CertAuthority other = NewAuthority();
  const auto leaf = authority.IssueServer({"a"}, kYear);
  const auto code = [](absl::string_view cert, absl::string_view key) {
    return CertAuthority::FromPem(cert, key).status().code();
  };
  EXPECT_EQ(code("", ""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(authority.cert_pem(), "x"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(leaf->cert_pem, leaf->key_pem.view()), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(authority.cert_pem(), other.key_pem().view()),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CertificatesTest, AKeyIsMatchedWithItsCertificateOnly) {
  const CertAuthority authority = NewAuthority();
  const auto one = authority.IssueServer({"a"}, kYear);
  const auto other = authority.IssueServer({"a"}, kYear);
  EXPECT_TRUE(KeyMatchesCert(one->key_pem.view(), one->cert_pem).ok());
  EXPECT_EQ(KeyMatchesCert(one->key_pem.view(), other->cert_pem).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(KeyMatchesCert("", one->cert_pem).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StartsWith(one->key_pem.view(), "-----BEGIN PRIVATE KEY-----"));
}

struct NameCase {
  absl::string_view label;
  std::vector<std::string> names;
  absl::StatusCode code;
};
class NameTest : public CertificatesTest, public testing::WithParamInterface<NameCase> {};
TEST_P(NameTest, IsCertifiedOrRefused) {
  EXPECT_EQ(NewAuthority().IssueServer(GetParam().names, kYear).status().code(), GetParam().code);
}
INSTANTIATE_TEST_SUITE_P(
    Names, NameTest,
    testing::ValuesIn<NameCase>({
        {"Localhost", {"localhost"}, absl::StatusCode::kOk},
        {"Underscore", {"my_host"}, absl::StatusCode::kOk},
        {"TooLongForACommonName",
         {std::string(50, 'a') + "." + std::string(50, 'b')},
         absl::StatusCode::kOk},
        {"None", {}, absl::StatusCode::kInvalidArgument},
        {"Empty", {""}, absl::StatusCode::kInvalidArgument},
        {"Blank", {"two words"}, absl::StatusCode::kInvalidArgument},
        {"Comma", {"a,IP:1.2.3.4"}, absl::StatusCode::kInvalidArgument},
        {"Zero", {std::string("a\0b", 3)}, absl::StatusCode::kInvalidArgument},
        {"InnerStar", {"a.*.b"}, absl::StatusCode::kInvalidArgument},
        {"LabelTooLong", {std::string(64, 'a')}, absl::StatusCode::kInvalidArgument},
        {"SecondIsWrong", {"a", "b c"}, absl::StatusCode::kInvalidArgument},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(CertificatesTest, AClientNeedsAnIdentityThatFits) {
  const CertAuthority authority = NewAuthority();
  const auto code = [&](const ClientIdentity& identity) {
    return authority.IssueClient(identity, kYear).status().code();
  };
  EXPECT_EQ(code({}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.common_name = std::string(65, 'a')}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.common_name = "a", .uri = "no uri"}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.common_name = "Ærøskøbing"}), absl::StatusCode::kOk);
}

TEST(CertRequestTest, IsSignedForWhomTheAuthorityKnowsAndForItsKeyOnly) {
  const auto ca = CertAuthority::Create("team", absl::Hours(1));
  ASSERT_TRUE(ca.ok()) << ca.status();
  const auto request = MakeCertRequest();
  ASSERT_TRUE(request.ok()) << request.status();
  const auto issued = ca->SignClientRequest(
      request->request_pem, {.common_name = "ann", .uri = "urn:docker-machine:user:ann"},
      absl::Minutes(5));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_TRUE(issued->key_pem.empty());
  EXPECT_TRUE(VerifySignedBy(issued->cert_pem, ca->cert_pem()).ok());
  EXPECT_TRUE(KeyMatchesCert(request->key_pem.view(), issued->cert_pem).ok());
  EXPECT_THAT(CertInfo::Parse(issued->cert_pem)->uris,
              testing::ElementsAre("urn:docker-machine:user:ann"));
  // A renewal keeps the key.
  const auto again = MakeCertRequest(request->key_pem.view());
  ASSERT_TRUE(again.ok()) << again.status();
  const auto renewed =
      ca->SignClientRequest(again->request_pem, {.common_name = "ann"}, absl::Minutes(5));
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_TRUE(KeyMatchesCert(request->key_pem.view(), renewed->cert_pem).ok());
}

TEST(CertRequestTest, AServerGetsItsNamesFromWhoeverSigns) {
  const auto ca = CertAuthority::Create("team", absl::Hours(1));
  ASSERT_TRUE(ca.ok()) << ca.status();
  const auto request = MakeCertRequest();
  ASSERT_TRUE(request.ok()) << request.status();
  const auto issued = ca->SignServerRequest(request->request_pem, {"lab.example.org", "10.0.0.1"},
                                            absl::Minutes(5));
  ASSERT_TRUE(issued.ok()) << issued.status();
  EXPECT_TRUE(KeyMatchesCert(request->key_pem.view(), issued->cert_pem).ok());
  EXPECT_THAT(CertInfo::Parse(issued->cert_pem)->dns_names,
              testing::ElementsAre("lab.example.org"));
  EXPECT_THAT(CertInfo::Parse(issued->cert_pem)->ip_addresses, testing::ElementsAre("10.0.0.1"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      ca->SignServerRequest(request->request_pem, {"no name"}, absl::Minutes(5)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      ca->SignServerRequest("", {"lab.example.org"}, absl::Minutes(5)).status()));
}

TEST(CertRequestTest, WhatIsNoRequestOrWasChangedIsRefused) {
  const auto ca = CertAuthority::Create("team", absl::Hours(1));
  ASSERT_TRUE(ca.ok()) << ca.status();
  const auto sign = [&](const std::string& text) {
    return ca->SignClientRequest(text, {.common_name = "ann"}, absl::Minutes(5)).status().code();
  };
  EXPECT_EQ(sign(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sign(ca->cert_pem()), absl::StatusCode::kInvalidArgument);
  std::string changed = MakeCertRequest()->request_pem;
  const size_t at = changed.size() / 2;
  changed[at] = changed[at] == 'A' ? 'B' : 'A';
  EXPECT_EQ(sign(changed), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace machine::common
