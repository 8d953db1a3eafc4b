#include "drivers/amazonec2/sigv4.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace machine::driver::amazonec2 {
namespace {

// Signatures by SigV4Auth of botocore 1.43.11, with its clock at 2026-11-26T02:03:04Z and the key
// of AWS's own examples.
struct VectorCase {
  absl::string_view label;
  absl::string_view url;
  SigningScope scope;
  common::HttpHeaders headers;
  absl::string_view body;
  absl::string_view token;
  absl::string_view signed_names;
  absl::string_view signature;
};

constexpr char kForm[] = "application/x-www-form-urlencoded; charset=utf-8";

class VectorTest : public testing::TestWithParam<VectorCase> {};
TEST_P(VectorTest, IsBotocores) {
  const VectorCase& c = GetParam();
  AwsCredentials credentials;
  credentials.access_key_id = "AKIAIOSFODNN7EXAMPLE";
  credentials.secret_access_key = common::SecretString("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
  credentials.session_token = common::SecretString(c.token);
  common::HttpRequest request;
  request.method = "POST";
  request.url = std::string(c.url);
  request.headers = c.headers;
  request.body = std::string(c.body);
  SignRequest(credentials, c.scope,
              absl::FromCivil(absl::CivilSecond(2026, 11, 26, 2, 3, 4), absl::UTCTimeZone()),
              request);
  EXPECT_EQ(request.headers.Get("X-Amz-Date").value_or(""), "20261126T020304Z");
  EXPECT_EQ(request.headers.Get("X-Amz-Security-Token").value_or(""), c.token);
  EXPECT_EQ(request.headers.Get("Authorization").value_or(""),
            absl::StrCat("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261126/",
                         c.scope.region, "/", c.scope.service, "/aws4_request, SignedHeaders=",
                         c.signed_names, ", Signature=", c.signature));
}
INSTANTIATE_TEST_SUITE_P(
    Vectors, VectorTest,
    testing::Values(
        VectorCase{"AnAction",
                   "https://ec2.us-east-1.amazonaws.com/",
                   {"us-east-1", "ec2"},
                   {{"Content-Type", kForm}},
                   "Action=DescribeRegions&Version=2016-11-15",
                   "",
                   "content-type;host;x-amz-date",
                   "efdb4c59d7c3c86d37b511bb3c8062640e21ab0ff78f9805060fffe4aad6c450"},
        VectorCase{"ABodyWithEscapes",
                   "https://ec2.eu-central-1.amazonaws.com/",
                   {"eu-central-1", "ec2"},
                   {{"Content-Type", kForm}},
                   "Action=RunInstances&Version=2016-11-15&TagSpecification.1.Tag.1.Value="
                   "a%20b%2Fc%7E%C3%A4",
                   "",
                   "content-type;host;x-amz-date",
                   "fdd9a7498e914ab83fb31b9744eca079e27be187409024cf55a7e12d32c993fc"},
        VectorCase{"ASessionToken",
                   "https://ec2.eu-central-1.amazonaws.com/",
                   {"eu-central-1", "ec2"},
                   {{"Content-Type", kForm}},
                   "Action=DescribeVpcs&Version=2016-11-15",
                   "FwoGZXIvYXdzEBYaD+token/==",
                   "content-type;host;x-amz-date;x-amz-security-token",
                   "7721a8cb73a51e71295a9c8a20867dbdd9efe5fd870a66a37d2823890d36ca2a"},
        VectorCase{"AJsonTarget",
                   "https://ssm.ap-southeast-2.amazonaws.com/",
                   {"ap-southeast-2", "ssm"},
                   {{"Content-Type", "application/x-amz-json-1.1"},
                    {"X-Amz-Target", "AmazonSSM.GetParameter"}},
                   R"({"Name":"/a/b"})",
                   "",
                   "content-type;host;x-amz-date;x-amz-target",
                   "18e218cff32aa7f102c097c7542b447afccbf8ef46a7d5b15c45745c1897d475"},
        VectorCase{"APortAndSpacesAndNoBody",
                   "http://127.0.0.1:5000/",
                   {"us-east-1", "sts"},
                   {{"Content-Type", "  application/x-www-form-urlencoded;   charset=utf-8 "}},
                   "",
                   "",
                   "content-type;host;x-amz-date",
                   "c04a16c61a86944324ed45866e46c88e2038f3890c400ca6e541f04135372f94"}),
    [](const auto& info) { return std::string(info.param.label); });

}  // namespace
}  // namespace machine::driver::amazonec2
