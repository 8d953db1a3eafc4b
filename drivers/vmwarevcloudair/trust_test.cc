// Whose certificate a Cloud Director may show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "drivers/vmwarevcloudair/vcloud_driver.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

using machine::v1::OptionValue;
using testing::HasSubstr;

TEST(TrustTest, AnAuthorityOfOnesOwnIsTrustedWhereItIsGiven) {
  const auto authority = common::CertAuthority::Create("test", absl::Hours(1));
  ASSERT_TRUE(authority.ok()) << authority.status();
  const auto cert = authority->IssueServer({"127.0.0.1"}, absl::Hours(1));
  ASSERT_TRUE(cert.ok()) << cert.status();
  const std::string cert_path = testing::TempDir() + "/director.pem";
  const std::string key_path = testing::TempDir() + "/director.key";
  ASSERT_TRUE(common::WriteFileAtomically(cert_path, cert->cert_pem, 0600).ok());
  ASSERT_TRUE(common::WriteFileAtomically(key_path, cert->key_pem.view(), 0600).ok());
  // It knows nobody: whoever is told so has trusted it.
  httplib::SSLServer server(cert_path.c_str(), key_path.c_str());
  server.Get("/api/versions", [](const httplib::Request&, httplib::Response& to) {
    to.set_content(
        "<SupportedVersions><VersionInfo><Version>37.0</Version></VersionInfo></SupportedVersions>",
        "application/*+xml");
  });
  server.Post("/cloudapi/1.0.0/sessions",
              [](const httplib::Request&, httplib::Response& to) { to.status = 401; });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&] { server.listen_after_bind(); });

  VcloudDriver driver;
  EXPECT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  CallRecord record;
  const auto check = [&](std::vector<OptionValue> options) {
    options.insert(options.end(), {Option(kHrefFlag, absl::StrCat("https://127.0.0.1:", port)),
                                   Option(kOrgFlag, "org"), Option(kUsernameFlag, "jane"),
                                   SecretOption(kPasswordFlag, "secret")});
    MachineSpec machine = {.uid = "uid", .name = "dev"};
    const auto read = MakeOptions(driver, options);
    if (!read.ok()) return read.status();
    machine.options = *read;
    return driver.PreCreateCheck(*MakeCall("uid", record), machine);
  };
  const absl::Status strict = check({});
  const absl::Status trusted = check({Option(kCaFlag, authority->cert_pem())});
  const absl::Status no_pem = check({Option(kCaFlag, "secret")});
  server.stop();
  serving.join();
  EXPECT_EQ(common::ReasonOf(strict), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) << strict;
  EXPECT_THAT(std::string(strict.message()), HasSubstr("--vmwarevcloudair-ca"));
  EXPECT_EQ(common::ReasonOf(trusted), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS) << trusted;
  EXPECT_THAT(std::string(no_pem.message()), HasSubstr("--vmwarevcloudair-ca"));
}

}  // namespace
}  // namespace machine::driver::vmwarevcloudair
