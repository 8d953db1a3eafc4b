#include "drivers/google/google_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"
#include "tests/fakes/google/fake_google_auth.h"

namespace machine::driver::gce {
namespace {

using fakes::FakeGoogleAuth;
using fakes::Fault;
using testing::HasSubstr;
using testing::Not;

class GoogleAuthTest : public testing::Test {
 protected:
  std::unique_ptr<TokenSource> ServiceAccount(const std::string& text) {
    auto file = ParseCredentialsFile(text);
    EXPECT_TRUE(file.ok()) << file.status();
    return TokensFor(http_, file.ok() ? *std::move(file) : CredentialsFile(), clock_);
  }

  FakeGoogleAuth fake_;
  common::FakeClock clock_;
  common::HttpClient http_{
      {.min_backoff = absl::Milliseconds(1), .max_backoff = absl::Milliseconds(2)}};
  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
};

TEST_F(GoogleAuthTest, AServiceAccountSignsForItsToken) {
  const auto token = ServiceAccount(fake_.ServiceAccountFile())->Fetch(*call_);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->value.view(), "ya29.fake-1");
  EXPECT_EQ(token->expires, clock_.Now() + absl::Hours(1));
  const nlohmann::json claims = fake_.LastClaims();
  EXPECT_EQ(claims["iss"], FakeGoogleAuth::kServiceAccount);
  EXPECT_EQ(claims["scope"], "https://www.googleapis.com/auth/compute");
  EXPECT_EQ(claims["iat"], absl::ToUnixSeconds(clock_.Now()));
}

TEST_F(GoogleAuthTest, AUserOfGcloudGetsATokenByTheRefreshToken) {
  const auto token = ServiceAccount(fake_.AuthorizedUserFile())->Fetch(*call_);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->value.view(), "ya29.fake-1");
}

TEST_F(GoogleAuthTest, WhatGoogleSaysIsShownAndNoSecret) {
  const std::string other_account = absl::StrReplaceAll(
      fake_.ServiceAccountFile(), {{FakeGoogleAuth::kServiceAccount, "other@my-project"}});
  const absl::Status unknown = ServiceAccount(other_account)->Fetch(*call_).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(common::ReasonOf(unknown), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("service account other@my-project: "
                                                        "invalid_grant: Invalid grant"));
  const std::string revoked =
      absl::StrReplaceAll(fake_.AuthorizedUserFile(), {{FakeGoogleAuth::kRefreshToken, "1//old"}});
  const absl::Status expired = ServiceAccount(revoked)->Fetch(*call_).status();
  EXPECT_EQ(expired.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(expired.message()), HasSubstr("expired or revoked"));
  EXPECT_THAT(std::string(expired.message()), Not(HasSubstr("1//old")));
}

TEST_F(GoogleAuthTest, ATokenEndpointThatIsDownPasses) {
  fake_.Order({.kind = Fault::Kind::kStatus, .times = 2, .status = 503});
  EXPECT_TRUE(ServiceAccount(fake_.ServiceAccountFile())->Fetch(*call_).ok());
  fake_.Order({.kind = Fault::Kind::kStatus, .times = 3, .status = 503});
  EXPECT_TRUE(
      absl::IsUnavailable(ServiceAccount(fake_.ServiceAccountFile())->Fetch(*call_).status()));
  fake_.Order({.kind = Fault::Kind::kGarbage});
  EXPECT_TRUE(
      absl::IsUnavailable(ServiceAccount(fake_.ServiceAccountFile())->Fetch(*call_).status()));
}

TEST_F(GoogleAuthTest, TheDefaultFileComesBeforeTheMetadataServer) {
  std::string folder = absl::StrCat(testing::TempDir(), "/adc.XXXXXX");
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const Surroundings surroundings = {.default_file = folder + "/adc.json",
                                     .metadata_url = fake_.url()};
  const auto tokens = DefaultTokens(http_, surroundings, clock_);
  ASSERT_TRUE(tokens->Fetch(*call_).ok());
  EXPECT_EQ(fake_.CountOf("POST /token"), 0);
  ASSERT_TRUE(
      common::WriteFileAtomically(surroundings.default_file, fake_.AuthorizedUserFile(), 0600)
          .ok());
  ASSERT_TRUE(tokens->Fetch(*call_).ok());
  EXPECT_EQ(fake_.CountOf("POST /token"), 1);
  ASSERT_TRUE(common::WriteFileAtomically(surroundings.default_file, "{}", 0600).ok());
  EXPECT_THAT(std::string(tokens->Fetch(*call_).status().message()),
              HasSubstr(surroundings.default_file));
}

TEST_F(GoogleAuthTest, WithoutCredentialsTheWaysAreNamed) {
  for (const std::string& metadata : {std::string(), std::string("http://127.0.0.1:1")}) {
    const absl::Status status =
        DefaultTokens(http_, {.default_file = "/nonexistent/adc.json", .metadata_url = metadata},
                      clock_)
            ->Fetch(*call_)
            .status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    for (const char* const way : {"OOB", "--google-application-credentials", "--google-auth-token",
                                  "application-default"}) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(way));
    }
  }
  fake_.RemoveServiceAccount();
  EXPECT_THAT(std::string(DefaultTokens(http_, {.metadata_url = fake_.url()}, clock_)
                              ->Fetch(*call_)
                              .status()
                              .message()),
              HasSubstr("service account"));
}

TEST_F(GoogleAuthTest, AFileThatIsNoneGivesNoTokenOfSomebodyElse) {
  const absl::Status status =
      TokensFor(http_, ParseCredentialsFile("{}"), clock_)->Fetch(*call_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not a file of credentials"));
}

struct BadFileCase {
  absl::string_view label;
  absl::string_view text;
  absl::string_view words;
};
class BadFileTest : public testing::TestWithParam<BadFileCase> {};
TEST_P(BadFileTest, IsRefused) {
  const absl::Status status = ParseCredentialsFile(GetParam().text).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(GetParam().words)));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("s3cret")));
}
INSTANTIATE_TEST_SUITE_P(
    Files, BadFileTest,
    testing::ValuesIn<BadFileCase>({
        {"NoJson", "s3cret", "not a file of credentials"},
        {"NoType", "{}", "not a file of credentials"},
        {"OAuthClient", R"({"installed":{"client_secret":"s3cret"}})", "not a file of credentials"},
        {"WorkloadIdentity", R"({"type":"external_account"})", "external_account"},
        {"Impersonation", R"({"type":"impersonated_service_account"})", "print-access-token"},
        {"NoKey", R"({"type":"service_account","client_email":"a@b"})", "private_key"},
        {"NoEmail", R"({"type":"service_account","private_key":"s3cret"})", "client_email"},
        {"BrokenKey", R"({"type":"service_account","client_email":"a@b","private_key":"s3cret"})",
         "private key"},
        {"NoRefreshToken", R"({"type":"authorized_user","client_id":"x"})", "refresh_token"},
        {"PlainHttp", R"({"type":"authorized_user","token_uri":"http://evil.example.com/s3cret"})",
         "token_uri"},
        {"OtherUniverse", R"({"type":"service_account","universe_domain":"example.com"})",
         "another cloud"},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(GoogleAuthTest, ATokenIsKeptUntilShortlyBeforeItsEnd) {
  AccessTokenCache cache(ServiceAccount(fake_.ServiceAccountFile()), clock_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cache.Get(*call_)->view(), "ya29.fake-1");
  clock_.Advance(absl::Minutes(55));
  EXPECT_EQ(cache.Get(*call_)->view(), "ya29.fake-1");
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(cache.Get(*call_)->view(), "ya29.fake-2");
  EXPECT_TRUE(cache.Forget());
  EXPECT_EQ(cache.Get(*call_)->view(), "ya29.fake-3");
}

TEST_F(GoogleAuthTest, AGivenTokenIsNeverRenewed) {
  AccessTokenCache cache(GivenToken("ya29.mine"), clock_);
  EXPECT_EQ(cache.Get(*call_)->view(), "ya29.mine");
  EXPECT_FALSE(cache.Forget());
}

TEST_F(GoogleAuthTest, ManyThreadsFetchOnce) {
  AccessTokenCache cache(ServiceAccount(fake_.ServiceAccountFile()), clock_);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto token = cache.Get(*call_);
      if (token.ok() && token->view() == "ya29.fake-1") ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
}

TEST_F(GoogleAuthTest, ACancelledCallWaitsForNobodysFetch) {
  AccessTokenCache cache(ServiceAccount(fake_.ServiceAccountFile()), clock_);
  fake_.Order({.kind = Fault::Kind::kHold});
  std::thread fetching([&] { EXPECT_TRUE(cache.Get(*call_).ok()); });
  while (fake_.CountOf("POST /token") == 0) std::this_thread::yield();
  auto cancellation = std::make_shared<common::Cancellation>();
  cancellation->Cancel();
  const auto cancelled = MakeCall("uid", record_, absl::Minutes(1), cancellation);
  EXPECT_TRUE(absl::IsCancelled(cache.Get(*cancelled).status()));
  fake_.Release();
  fetching.join();
}

TEST(SurroundingsTest, AreThoseOfTheProcess) {
  setenv("CLOUDSDK_CONFIG", "/home/me/gcloud", 1);
  setenv("GCE_METADATA_HOST", "127.0.0.1:8080", 1);
  const Surroundings surroundings = Surroundings::OfProcess();
  EXPECT_EQ(surroundings.default_file, "/home/me/gcloud/application_default_credentials.json");
  EXPECT_EQ(surroundings.metadata_url, "http://127.0.0.1:8080");
}

}  // namespace
}  // namespace machine::driver::gce
