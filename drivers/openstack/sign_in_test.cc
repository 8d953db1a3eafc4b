// What clouds differ in when one signs in: tokens with a project of their own, proxies,
// clouds.yaml.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "drivers/openstack/clouds_yaml.h"
#include "drivers/openstack/identity.h"
#include "drivers/openstack/test_openstack.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

using fakes::FakeOpenStack;
using fakes::Fault;
using machine::v1::OptionValue;
using nlohmann::json;
using testing::HasSubstr;

class TokenTest : public OpenStackTest {
 protected:
  // A token of the fake; for its project "demo", or for none.
  std::string NewToken(bool scoped) {
    common::HttpClient http;
    Credentials credentials = {.auth_url = absl::StrCat(fake_.url(), "/identity/v3"),
                               .username = "demo",
                               .password = FakeOpenStack::kPassword};
    common::HttpRequest request;
    request.method = "POST";
    request.url = absl::StrCat(credentials.auth_url, "/auth/tokens");
    if (scoped) credentials.project_name = "demo";
    request.body = AuthBody(credentials).dump();
    request.deadline = absl::Now() + absl::Minutes(1);
    const auto answer = http.Send(std::move(request));
    EXPECT_TRUE(answer.ok()) << answer.status();
    fake_.ForgetRequests();
    return answer.ok() ? std::string(answer->headers.Get("X-Subject-Token").value_or("")) : "";
  }

  absl::StatusOr<Observation> InspectBy(const std::string& token, std::vector<OptionValue> more) {
    std::vector<OptionValue> options = {
        Option(kAuthUrlFlag, absl::StrCat(fake_.url(), "/identity")),
        SecretOption(kTokenFlag, token)};
    options.insert(options.end(), more.begin(), more.end());
    return driver_.Inspect(*Call(), MachineOf(options));
  }
};

TEST_F(TokenTest, OneWithAProjectIsUsedAsItIs) {
  const std::string token = NewToken(/*scoped=*/true);
  for (const std::vector<OptionValue>& project : std::vector<std::vector<OptionValue>>{
           {},
           {Option(kTenantNameFlag, "demo")},
           {Option(kTenantIdFlag, FakeOpenStack::kProjectId)},
           {Option(kTenantNameFlag, "demo"), Option(kProjectDomainNameFlag, "Default")},
           {Option(kTenantNameFlag, "demo"), Option(kProjectDomainIdFlag, "default")}}) {
    const auto seen = InspectBy(token, project);
    EXPECT_TRUE(seen.ok()) << seen.status();
  }
  EXPECT_EQ(fake_.CountOf(kSignIn), 0);
}

TEST_F(TokenTest, OneWithoutAProjectIsExchanged) {
  const auto seen = InspectBy(NewToken(/*scoped=*/false), {Option(kTenantNameFlag, "demo")});
  EXPECT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(fake_.CountOf(kSignIn), 1);
  EXPECT_EQ(fake_.LastAuth()["identity"]["methods"], json({"token"}));
}

TEST_F(TokenTest, OneOfAnotherProjectIsExchangedOrRefused) {
  const auto seen = InspectBy(NewToken(/*scoped=*/true), {Option(kTenantNameFlag, "other")});
  EXPECT_EQ(seen.status().code(), absl::StatusCode::kUnauthenticated) << seen.status();
  EXPECT_EQ(fake_.CountOf(kSignIn), 1);
}

TEST_F(TokenTest, OneThatIsNoTokenIsRefused) {
  const auto seen = InspectBy("nothing", {Option(kTenantNameFlag, "demo")});
  EXPECT_EQ(common::ReasonOf(seen.status()), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
}

// Every way to name a domain for user and project each, together: by the bodies alone.
TEST(AuthBodyTest, NamesDomainsByIdOrNameInEveryCombination) {
  const std::vector<std::pair<Domain, json>> domains = {{{}, {{"id", "default"}}},
                                                        {{"d1", ""}, {{"id", "d1"}}},
                                                        {{"", "Corp"}, {{"name", "Corp"}}},
                                                        {{"d1", "Corp"}, {{"id", "d1"}}}};
  for (const auto& [user_domain, user_json] : domains) {
    for (const auto& [project_domain, project_json] : domains) {
      for (const bool user_by_id : {false, true}) {
        for (const bool project_by_id : {false, true}) {
          Credentials who = {
              .user_domain = user_domain, .password = "p", .project_domain = project_domain};
          (user_by_id ? who.user_id : who.username) = "u";
          (project_by_id ? who.project_id : who.project_name) = "x";
          const json auth = AuthBody(who)["auth"];
          json user = {{"password", "p"}};
          json project;
          if (user_by_id) {
            user["id"] = "u";
          } else {
            user["name"] = "u";
            user["domain"] = user_json;
          }
          if (project_by_id) {
            project["id"] = "x";
          } else {
            project["name"] = "x";
            project["domain"] = project_json;
          }
          EXPECT_EQ(auth["identity"]["password"]["user"], user);
          EXPECT_EQ(auth["scope"]["project"], project);
        }
      }
    }
  }
}

TEST_F(OpenStackTest, AFloatingIpWithoutARouterSaysWhatIsMissing) {
  fake_.Order({.kind = Fault::Kind::kStatus,
               .route = "POST /networking/v2.0/floatingips",
               .times = 100,
               .status = 404});
  MachineSpec machine = Machine({Option(kPoolFlag, "public")});
  const auto made = Create(machine);
  EXPECT_TRUE(absl::IsFailedPrecondition(made.status())) << made.status();
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("--openstack-floatingip-pool"));
}

class CloudsYamlTest : public OpenStackTest {
 protected:
  absl::Status Check(const std::string& cloud) {
    return MakeOptions(driver_, {Option(kCloudFlag, "home"),
                                 SecretOption(kCloudsTextFlag, "clouds:\n  home: " + cloud)})
        .status();
  }
};

TEST_F(CloudsYamlTest, EveryWayToSignInIsTaken) {
  const std::string url = absl::StrCat("auth_url: ", fake_.url(), "/identity");
  for (const std::string& auth :
       {absl::StrCat("{auth_type: v3applicationcredential, auth: {", url,
                     ", application_credential_id: app-1, application_credential_secret: ",
                     FakeOpenStack::kApplicationSecret, "}}"),
        absl::StrCat("{auth_type: v3applicationcredential, auth: {", url,
                     ", application_credential_name: builder, username: demo, user_domain_name: "
                     "Default, application_credential_secret: ",
                     FakeOpenStack::kApplicationSecret, "}}"),
        absl::StrCat("{auth_type: password, auth: {", url, ", user_id: ", FakeOpenStack::kUserId,
                     ", project_id: ", FakeOpenStack::kProjectId,
                     ", password: ", FakeOpenStack::kPassword, "}}"),
        absl::StrCat(
            "{auth: {", url,
            ", user_name: demo, tenant_name: demo, default_domain_name: Default, password: ",
            FakeOpenStack::kPassword, "}, endpoint_type: publicURL}")}) {
    const auto options = MakeOptions(
        driver_,
        {Option(kCloudFlag, "home"), SecretOption(kCloudsTextFlag, "clouds:\n  home: " + auth)});
    ASSERT_TRUE(options.ok()) << auth << ": " << options.status();
    MachineSpec machine;
    machine.uid = kTestUid;
    machine.name = "dev";
    machine.options = *options;
    OpenStackDriver driver(FastTiming<Timing>());
    ASSERT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
    const absl::Status status = driver.PreCreateCheck(*Call(), machine);
    EXPECT_TRUE(status.ok()) << auth << ": " << status;
  }
}

TEST_F(CloudsYamlTest, WhatIsNotSupportedIsRefusedByName) {
  EXPECT_THAT(std::string(Check("{profile: vexxhost, auth: {username: x, password: y}}").message()),
              testing::AllOf(HasSubstr("vexxhost"), HasSubstr("auth_url")));
  EXPECT_THAT(
      std::string(
          Check("{auth_type: v3oidcpassword, auth: {auth_url: https://x.example}}").message()),
      HasSubstr("v3oidcpassword"));
}

}  // namespace
}  // namespace machine::driver::openstack
