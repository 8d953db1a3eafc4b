#include "drivers/amazonec2/aws_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/status/status.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::driver::amazonec2 {
namespace {

using testing::HasSubstr;
using testing::Not;

struct ErrorCase {
  absl::string_view code;
  int http_status;
  absl::StatusCode status;
  machine::v1::ErrorReason reason;
};
class ErrorTest : public testing::TestWithParam<ErrorCase> {};
TEST_P(ErrorTest, IsOurs) {
  const ErrorCase& c = GetParam();
  common::HttpResponse response;
  response.status = c.http_status;
  response.body =
      absl::StrCat("<?xml version=\"1.0\"?><Response><Errors><Error><Code>", c.code,
                   "</Code><Message>Words\x01 of AWS</Message></Error></Errors></Response>");
  const absl::Status error = ErrorOfAws(response);
  EXPECT_EQ(error.code(), c.status) << error;
  EXPECT_EQ(common::ReasonOf(error), c.reason);
  EXPECT_EQ(AwsCodeOf(error), c.code);
  EXPECT_EQ(std::string(error.message()).find('\x01'), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(Codes, ErrorTest,
                         testing::ValuesIn<ErrorCase>({
                             {"AuthFailure", 401, absl::StatusCode::kUnauthenticated,
                              machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
                             {"ExpiredToken", 403, absl::StatusCode::kUnauthenticated,
                              machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS},
                             {"UnauthorizedOperation", 403, absl::StatusCode::kPermissionDenied,
                              machine::v1::ERROR_REASON_PROVIDER_POLICY},
                             {"RequestLimitExceeded", 503, absl::StatusCode::kResourceExhausted,
                              machine::v1::ERROR_REASON_PROVIDER_RATE_LIMIT},
                             {"VcpuLimitExceeded", 400, absl::StatusCode::kResourceExhausted,
                              machine::v1::ERROR_REASON_PROVIDER_QUOTA},
                             {"InsufficientInstanceCapacity", 500,
                              absl::StatusCode::kResourceExhausted,
                              machine::v1::ERROR_REASON_PROVIDER_QUOTA},
                             {"InvalidInstanceID.NotFound", 400, absl::StatusCode::kNotFound,
                              machine::v1::ERROR_REASON_UNSPECIFIED},
                             {"InvalidKeyPair.Duplicate", 400, absl::StatusCode::kAlreadyExists,
                              machine::v1::ERROR_REASON_UNSPECIFIED},
                             {"IdempotentParameterMismatch", 400, absl::StatusCode::kAlreadyExists,
                              machine::v1::ERROR_REASON_INSTANCE_DIFFERS},
                             {"DependencyViolation", 400, absl::StatusCode::kAborted,
                              machine::v1::ERROR_REASON_UNSPECIFIED},
                             {"InvalidParameterValue", 400, absl::StatusCode::kInvalidArgument,
                              machine::v1::ERROR_REASON_UNSPECIFIED},
                             {"InternalError", 500, absl::StatusCode::kUnavailable,
                              machine::v1::ERROR_REASON_PROVIDER_DOWN},
                         }),
                         [](const auto& info) {
                           std::string name(info.param.code);
                           std::erase(name, '.');
                           return name;
                         });

class Echo final : public fakes::FakeServer {
 public:
  explicit Echo(std::string body) {
    Route("POST", "/", [body = std::move(body)](const fakes::Request&) {
      return fakes::Response{.body = body};
    });
    Start();
  }
  ~Echo() override { Stop(); }
};

class AwsApiTest : public testing::Test {
 protected:
  AwsApi Api(const Echo& server) {
    return AwsApi(http_,
                  {.endpoint = server.url(),
                   .scope = {.region = "us-east-1", .service = "ec2"},
                   .version = "2016-11-15",
                   .backoff = {absl::Milliseconds(1), absl::Milliseconds(1)}},
                  [](const common::CallScope&) {
                    AwsCredentials credentials;
                    credentials.access_key_id = "AKIA";
                    credentials.secret_access_key = common::SecretString("very-secret");
                    return credentials;
                  });
  }

  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  common::HttpClient http_;
};

TEST_F(AwsApiTest, SendsAFormAndReadsXml) {
  Echo server(
      "<DescribeVpcsResponse><vpcSet><item><vpcId>v-1</vpcId></item><item/></vpcSet>"
      "</DescribeVpcsResponse>");
  const auto answer = Api(server).Query(*call_, "DescribeVpcs", {{"Filter.1.Name", "a b&c"}});
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->Items("vpcSet").size(), 2u);
  EXPECT_EQ(answer->Items("vpcSet")[0].Text("vpcId"), "v-1");
  EXPECT_EQ(answer->Items("vpcSet")[1].Text("vpcId"), "");
  EXPECT_TRUE(answer->Items("none").empty());
  const fakes::Request sent = server.requests().back();
  EXPECT_EQ(sent.body, "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=a+b%26c");
  EXPECT_THAT(sent.Header("Authorization"), Not(HasSubstr("very-secret")));
}

TEST_F(AwsApiTest, TriesAgainAfterFailuresThatPass) {
  Echo server("<StopInstancesResponse/>");
  for (const fakes::Fault::Kind kind :
       {fakes::Fault::Kind::kThrottle, fakes::Fault::Kind::kStatus, fakes::Fault::Kind::kGarbage,
        fakes::Fault::Kind::kLoseReply}) {
    server.Order({.kind = kind, .times = 4});
    server.ForgetRequests();
    const auto answer = Api(server).Query(*call_, "StopInstances", {});
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(server.CountOf(""), 5);
  }
  server.Order({.kind = fakes::Fault::Kind::kStatus, .times = 5, .status = 503});
  EXPECT_EQ(common::ReasonOf(Api(server).Query(*call_, "StopInstances", {}).status()),
            machine::v1::ERROR_REASON_PROVIDER_DOWN);
}

TEST_F(AwsApiTest, AnAnswerToSomethingElseIsNone) {
  Echo server("<html><body>a proxy's page</body></html>");
  const absl::Status status = Api(server).Query(*call_, "DescribeVpcs", {}).status();
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PROVIDER_DOWN) << status;
}

TEST_F(AwsApiTest, SpeaksJsonToSsm) {
  Echo server(R"({"Parameter":{"Value":"ami-1"}})");
  const auto answer = Api(server).Json11(*call_, "AmazonSSM.GetParameter", {{"Name", "/x"}});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ((*answer)["Parameter"]["Value"], "ami-1");
  EXPECT_EQ(server.requests().back().Header("X-Amz-Target"), "AmazonSSM.GetParameter");
}

TEST(ErrorOfAwsTest, ReadsJsonErrors) {
  common::HttpResponse response;
  response.status = 400;
  response.body = R"({"__type":"com.amazon#ParameterNotFound","message":"none"})";
  EXPECT_TRUE(absl::IsNotFound(ErrorOfAws(response)));
}

}  // namespace
}  // namespace machine::driver::amazonec2
