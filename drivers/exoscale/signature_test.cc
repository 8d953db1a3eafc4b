#include "drivers/exoscale/signature.h"

#include <gtest/gtest.h>

namespace machine::driver::exoscale {
namespace {

// A signature that other clients make of the same request.
TEST(SignatureTest, SignsArgumentsInOrderOfTheirNames) {
  common::HttpRequest request;
  request.url =
      "https://api-ch-gva-2.exoscale.com/v2/resource/"
      "a02baf5a-a3e4-49a0-857b-8a08d276c1c0?p2=v2&p1=v1";
  EXPECT_EQ(AuthorizationOf(request, "example-key", "example-secret",
                            absl::FromUnixSeconds(1'599'140'767)),
            "EXO2-HMAC-SHA256 credential=example-key,signed-query-args=p1;p2,expires=1599140767,"
            "signature=vPVxcXrf2my0TLdJ8WPIGa/vLld+FiJN+xtMs/vofHg=");
}

TEST(SignatureTest, SignsArgumentsDecodedAndTheBodyAsItIs) {
  common::HttpRequest request;
  request.url = "https://api.example.com/v2/x?a=1%3B%202";
  common::HttpRequest plain = request;
  plain.url = "https://api.example.com/v2/x?a=1; 2";
  const absl::Time expires = absl::FromUnixSeconds(1);
  EXPECT_EQ(AuthorizationOf(request, "k", "s", expires), AuthorizationOf(plain, "k", "s", expires));
  plain.body = "{}";
  EXPECT_NE(AuthorizationOf(request, "k", "s", expires), AuthorizationOf(plain, "k", "s", expires));
}

TEST(SignatureTest, WithoutArgumentsNamesNone) {
  common::HttpRequest request;
  request.url = "https://api.example.com/v2/zone";
  EXPECT_EQ(AuthorizationOf(request, "k", "s", absl::FromUnixSeconds(7)).find("signed-query-args"),
            std::string::npos);
}

}  // namespace
}  // namespace machine::driver::exoscale
