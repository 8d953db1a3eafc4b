#include "drivers/amazonec2/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/file/file.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::driver::amazonec2 {
namespace {

using testing::HasSubstr;

// The metadata service of an instance, and STS.
class FakeAws final : public fakes::FakeServer {
 public:
  FakeAws() {
    Route("PUT", "/latest/api/token", [](const fakes::Request& request) {
      const bool good = !request.Header("X-aws-ec2-metadata-token-ttl-seconds").empty();
      return fakes::Response{.status = good ? 200 : 400, .body = "the-token"};
    });
    Route("GET", "/latest/meta-data/iam/security-credentials/",
          [](const fakes::Request& request) { return IfToken(request, "my-role\n"); });
    Route("GET", "/latest/meta-data/iam/security-credentials/my-role",
          [this](const fakes::Request& request) {
            return IfToken(request,
                           absl::StrCat(R"({"Code":"Success","AccessKeyId":"ASIAINSTANCE",)"
                                        R"("SecretAccessKey":"s","Token":"t","Expiration":")",
                                        expiry_, "\"}"));
          });
    Route("POST", "/", [](const fakes::Request& request) { return AssumeRole(request); });
    Start();
  }
  ~FakeAws() override { Stop(); }

  void ExpireAt(std::string expiry) { expiry_ = std::move(expiry); }

 private:
  static fakes::Response IfToken(const fakes::Request& request, const std::string& body) {
    if (request.Header("X-aws-ec2-metadata-token") != "the-token") return {.status = 401};
    return {.body = body};
  }
  static fakes::Response AssumeRole(const fakes::Request& request) {
    if (!absl::StrContains(request.Header("Authorization"), "Credential=AKIABASE/")) {
      return {.status = 403,
              .body =
                  "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
                  "</ErrorResponse>"};
    }
    return {.body =
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE"
                "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t"
                "</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                "</AssumeRoleResult></AssumeRoleResponse>"};
  }

  std::string expiry_ = "2099-01-01T00:00:00Z";
};

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    environment_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = fake_.url();
    environment_["HOME"] = "/nonexistent";
    settings_.region = "eu-central-1";
    settings_.endpoint = fake_.url();
  }

  void WriteFile(const std::string& variable, const std::string& text) {
    const std::string path = absl::StrCat(testing::TempDir(), "/", variable);
    ASSERT_TRUE(common::WriteFileAtomically(path, text, 0600).ok());
    environment_[variable] = path;
  }

  absl::StatusOr<AwsCredentials> Find() {
    chain_ = std::make_unique<CredentialsChain>(
        http_, settings_, Backoff{absl::Milliseconds(1), absl::Milliseconds(1)},
        [this](const char* name) -> std::optional<std::string> {
          const auto it = environment_.find(name);
          if (it == environment_.end()) return std::nullopt;
          return it->second;
        });
    return chain_->Get(*call_);
  }

  void ExpectKey(absl::string_view key) {
    const absl::StatusOr<AwsCredentials> found = Find();
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->access_key_id, key);
  }

  void ExpectRefused(absl::string_view words) {
    const absl::Status status = Find().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(words)));
  }

  FakeAws fake_;
  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  common::HttpClient http_;
  AccountSettings settings_;
  std::map<std::string, std::string> environment_;
  std::unique_ptr<CredentialsChain> chain_;
};

constexpr char kConfig[] = R"([default]
region = eu-west-1
[profile dev]
role_arn = arn:aws:iam::123456789012:role/dev
source_profile = base
external_id = x # a comment
[profile self]
role_arn = arn:aws:iam::123456789012:role/self
source_profile = self
aws_access_key_id = AKIABASE
aws_secret_access_key = s
[profile round]
role_arn = arn:aws:iam::123456789012:role/round
source_profile = about
[profile about]
role_arn = arn:aws:iam::123456789012:role/about
source_profile = round
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/mfa
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile of-environment]
role_arn = arn:aws:iam::123456789012:role/x
credential_source = Environment
[profile sso]
sso_session = corp
s3 =
  aws_access_key_id = nested
[services base]
aws_access_key_id = AKIAWRONG
)";
constexpr char kCredentials[] = "[base]\naws_access_key_id=AKIABASE\naws_secret_access_key = s\n";

TEST_F(CredentialsTest, OptionsComeFirst) {
  settings_.access_key = "AKIAOPTION";
  settings_.secret_key = "s";
  environment_["AWS_ACCESS_KEY_ID"] = "AKIAENVIRONMENT";
  environment_["AWS_SECRET_ACCESS_KEY"] = "s";
  ExpectKey("AKIAOPTION");
}

TEST_F(CredentialsTest, ThenTheEnvironmentOfTheDriver) {
  WriteFile("AWS_SHARED_CREDENTIALS_FILE", "[default]\naws_access_key_id=AKIAFILE\n");
  environment_["AWS_ACCESS_KEY_ID"] = "AKIAENVIRONMENT";
  environment_["AWS_SECRET_ACCESS_KEY"] = "s";
  environment_["AWS_SESSION_TOKEN"] = "t";
  ExpectKey("AKIAENVIRONMENT");
  EXPECT_EQ(chain_->Get(*call_)->session_token.view(), "t");
}

TEST_F(CredentialsTest, ThenTheDefaultProfileOfTheFiles) {
  WriteFile("AWS_SHARED_CREDENTIALS_FILE",
            "[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key=s\n");
  ExpectKey("AKIAFILE");
}

TEST_F(CredentialsTest, AtLastTheInstanceOfTheDriver) {
  WriteFile("AWS_CONFIG_FILE", "[default]\nregion = eu-west-1\n");
  ExpectKey("ASIAINSTANCE");
}

TEST_F(CredentialsTest, TemporaryOnesAreKeptUntilTheyNearTheirEnd) {
  ExpectKey("ASIAINSTANCE");
  EXPECT_TRUE(chain_->Get(*call_).ok());
  EXPECT_EQ(fake_.CountOf(""), 3);
  fake_.ExpireAt(
      absl::FormatTime(absl::RFC3339_sec, absl::Now() + absl::Minutes(1), absl::UTCTimeZone()));
  ExpectKey("ASIAINSTANCE");
  EXPECT_TRUE(chain_->Get(*call_).ok());
  EXPECT_EQ(fake_.CountOf(""), 9);
}

struct ProfileCase {
  absl::string_view profile;
  /// The key that is found; empty where it is refused.
  absl::string_view key;
  absl::string_view words;
};
class ProfileTest : public CredentialsTest, public testing::WithParamInterface<ProfileCase> {};
TEST_P(ProfileTest, IsFoundOrRefusedByName) {
  WriteFile("AWS_CONFIG_FILE", kConfig);
  WriteFile("AWS_SHARED_CREDENTIALS_FILE", kCredentials);
  settings_.profile = std::string(GetParam().profile);
  if (!GetParam().key.empty()) return ExpectKey(GetParam().key);
  ExpectRefused(GetParam().words);
  ExpectRefused("--amazonec2-profile");
}
INSTANTIATE_TEST_SUITE_P(Profiles, ProfileTest,
                         testing::ValuesIn<ProfileCase>({
                             {"base", "AKIABASE", ""},
                             {"dev", "ASIAROLE", ""},
                             {"self", "ASIAROLE", ""},
                             {"round", "", "in a circle"},
                             {"mfa", "", "mfa_serial"},
                             {"of-environment", "", "no AWS_ACCESS_KEY_ID"},
                             {"sso", "", "single sign-on"},
                             {"nobody", "", "no profile \"nobody\""},
                         }),
                         [](const auto& info) {
                           std::string name(info.param.profile);
                           std::erase(name, '-');
                           return name;
                         });

TEST_F(CredentialsTest, ARoleOfTheOptionsIsTakenOnWithTheirKey) {
  settings_.access_key = "AKIABASE";
  settings_.secret_key = "s";
  settings_.role_arn = "arn:aws:iam::123456789012:role/dev";
  ExpectKey("ASIAROLE");
  settings_.access_key = "AKIAOTHER";
  const absl::Status status = Find().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--amazonec2-role-arn"));
}

TEST_F(CredentialsTest, WhereThereAreNoneItSaysWhatWasLookedAt) {
  environment_["AWS_EC2_METADATA_DISABLED"] = "true";
  ExpectRefused("--amazonec2-access-key");
  ExpectRefused("~/.aws");
  environment_.erase("AWS_EC2_METADATA_DISABLED");
  fake_.Order({.kind = fakes::Fault::Kind::kStatus, .status = 403});
  ExpectRefused("metadata service answered with 403");
}

TEST(EndpointOfTest, IsAwssOwnOrTheOptions) {
  EXPECT_EQ(EndpointOf({.region = "eu-west-1"}, "ec2"), "https://ec2.eu-west-1.amazonaws.com");
  EXPECT_EQ(EndpointOf({.region = "cn-north-1"}, "ssm"), "https://ssm.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(EndpointOf({.region = "x", .endpoint = "http://127.0.0.1:1"}, "sts"),
            "http://127.0.0.1:1");
}

}  // namespace
}  // namespace machine::driver::amazonec2
