#include "drivers/azure/azure_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/azure/azure_driver.h"
#include "drivers/azure/test_azure.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "tests/fakes/azure/fake_entra.h"

namespace machine::driver::azure {
namespace {

using fakes::FakeAzure;
using fakes::FakeEntra;
using fakes::Fault;
using testing::HasSubstr;
using testing::Not;

class AzureAuthTest : public testing::Test {
 protected:
  AzureAuthTest() {
    credentials_.endpoint = azure_.url();
    credentials_.audience = "https://management.azure.com";
    credentials_.authority = entra_.url();
    credentials_.subscription = FakeAzure::kSubscription;
    credentials_.tenant = FakeEntra::kTenant;
    credentials_.client_id = FakeEntra::kClient;
  }

  absl::StatusOr<AccessToken> Fetch(const Surroundings& surroundings = {}) {
    return TokensFor(http_, credentials_, surroundings, clock_)->Fetch(*call_);
  }

  // A program that prints `text` and ends with `code`.
  std::string Program(absl::string_view text, int code = 0) {
    const std::string path = absl::StrCat(testing::TempDir(), "/az-", code);
    EXPECT_TRUE(
        common::WriteFileAtomically(
            path, absl::StrCat("#!/bin/sh\ncat <<'E'\n", text, "\nE\nexit ", code, "\n"), 0700)
            .ok());
    return path;
  }

  FakeAzure azure_;
  FakeEntra entra_;
  common::FakeClock clock_;
  common::HttpClient http_{
      {.min_backoff = absl::Milliseconds(1), .max_backoff = absl::Milliseconds(2)}};
  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  Credentials credentials_;
};

TEST_F(AzureAuthTest, APrincipalSignsByItsCertificate) {
  credentials_.certificate = entra_.CertificateFile();
  const auto token = Fetch();
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->value.view(), "eyJ0.fake-1");
  EXPECT_EQ(token->expires, clock_.Now() + absl::Seconds(3599));
  const nlohmann::json claims = entra_.LastClaims();
  EXPECT_EQ(claims["nbf"], absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(claims["exp"], absl::ToUnixSeconds(clock_.Now() + absl::Minutes(10)));
  EXPECT_FALSE(claims["jti"].get<std::string>().empty());
}

TEST_F(AzureAuthTest, TheTenantIsThatOfTheChallenge) {
  credentials_.client_secret = FakeEntra::kSecret;
  credentials_.tenant.clear();
  const auto tokens = TokensFor(http_, credentials_, {}, clock_);
  for (int i = 0; i < 2; ++i) {
    const auto token = tokens->Fetch(*call_);
    ASSERT_TRUE(token.ok()) << token.status();
  }
  EXPECT_EQ(azure_.CountOf(""), 1);
  credentials_.subscription = "11111111-1111-4111-8111-111111111111";
  EXPECT_THAT(std::string(Fetch().status().message()), HasSubstr("knows no subscription"));
}

TEST_F(AzureAuthTest, AChallengeIsRead) {
  EXPECT_EQ(TenantOfChallenge("Bearer authorization_uri=\"https://login.windows.net/t-1\", "
                              "error=\"invalid_token\""),
            "t-1");
  EXPECT_EQ(TenantOfChallenge("Bearer authorization_uri=\"https://login.windows.net/t-1/\""),
            "t-1");
  EXPECT_EQ(TenantOfChallenge("Bearer realm=\"x\""), "");
  EXPECT_EQ(TenantOfChallenge("Bearer authorization_uri=\"https://x/a?b=c\""), "");
  EXPECT_EQ(TenantOfChallenge(""), "");
}

TEST_F(AzureAuthTest, WhatEntraSaysIsShownAndNoSecret) {
  credentials_.client_secret = "not~the~secret";
  const absl::Status refused = Fetch().status();
  EXPECT_EQ(common::ReasonOf(refused), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("AADSTS7000215"));
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("not~the~secret")));
  credentials_.client_id = "00000000-0000-4000-8000-000000000000";
  EXPECT_THAT(std::string(Fetch().status().message()), HasSubstr("AADSTS700016"));
}

TEST_F(AzureAuthTest, ATokenEndpointThatIsDownPasses) {
  credentials_.client_secret = FakeEntra::kSecret;
  entra_.Order({.kind = Fault::Kind::kStatus, .times = 2, .status = 503});
  EXPECT_TRUE(Fetch().ok());
  entra_.Order({.kind = Fault::Kind::kStatus, .times = 3, .status = 503});
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
}

TEST_F(AzureAuthTest, AVirtualMachineHasAnIdentity) {
  credentials_.managed_identity = true;
  const Surroundings surroundings = {.metadata_url = entra_.url(), .cli = ""};
  const auto token = Fetch(surroundings);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->expires, clock_.Now() + absl::Seconds(3599));
  entra_.RemoveIdentity();
  EXPECT_THAT(std::string(Fetch(surroundings).status().message()),
              HasSubstr("managed identity: invalid_request: Identity not found"));
  EXPECT_THAT(std::string(Fetch().status().message()), HasSubstr("no virtual machine of Azure"));
}

TEST_F(AzureAuthTest, TheCliIsAskedLast) {
  entra_.RemoveIdentity();
  const std::string az = Program(
      R"({"accessToken": "eyJ0.of-the-cli", "expires_on": 4102444800, "tokenType": "Bearer"})");
  const auto token = Fetch({.metadata_url = entra_.url(), .cli = az});
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->value.view(), "eyJ0.of-the-cli");
  EXPECT_EQ(token->expires, absl::FromUnixSeconds(4'102'444'800));
  EXPECT_THAT(std::string(Fetch({.metadata_url = "", .cli = Program("", 1)}).status().message()),
              HasSubstr("run \"az login\""));
  EXPECT_THAT(std::string(Fetch({.metadata_url = "", .cli = Program("no", 0)}).status().message()),
              HasSubstr("has no token"));
  EXPECT_THAT(std::string(Fetch({.metadata_url = "", .cli = "/no/such/az"}).status().message()),
              HasSubstr("there are no credentials for Azure"));
}

TEST_F(AzureAuthTest, AFileWithoutCertificateOrKeyIsRefused) {
  const std::string& whole = entra_.CertificateFile();
  EXPECT_TRUE(ParseClientCertificate(whole).ok());
  const size_t certificate = whole.find("-----BEGIN CERTIFICATE");
  EXPECT_THAT(std::string(ParseClientCertificate(whole.substr(0, certificate)).status().message()),
              HasSubstr("no certificate"));
  EXPECT_THAT(std::string(ParseClientCertificate(whole.substr(certificate)).status().message()),
              HasSubstr("no private key"));
  EXPECT_FALSE(ParseClientCertificate("").ok());
}

class PrincipalTest : public AzureTest {};
TEST_F(PrincipalTest, ACertificateIsEnoughForAMachineAndATokenThatIsRefusedIsRenewed) {
  FakeEntra entra;
  fake_.SetToken("eyJ0.fake-1");
  MachineSpec machine = Machine({SecretOption(kTokenFlag, ""), Option(kAuthorityFlag, entra.url()),
                                 Option(kClientFlag, FakeEntra::kClient),
                                 SecretOption(kCertificateTextFlag, entra.CertificateFile())});
  const absl::Status checked = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_TRUE(checked.ok()) << checked;
  ASSERT_TRUE(Create(machine).ok());
  fake_.SetToken("eyJ0.fake-2");
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(entra.LastToken(), "eyJ0.fake-2");
}

}  // namespace
}  // namespace machine::driver::azure
