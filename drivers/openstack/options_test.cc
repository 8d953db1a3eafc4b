// Who signs in, and what is refused before anything is made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/openstack/clouds_yaml.h"
#include "drivers/openstack/test_openstack.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "drivers/sdk/openstack/session.h"
#include "services/common/crypto/certificates.h"
#include "services/common/file/file.h"
#include "services/common/status/status.h"

namespace machine::driver::openstack {
namespace {

using fakes::FakeOpenStack;
using fakes::Fault;
using machine::v1::OptionValue;
using testing::ElementsAre;
using testing::HasSubstr;

// Every way to say who one is.
struct SignInCase {
  absl::string_view label;
  std::vector<OptionValue> options;
};
class SignInTest : public OpenStackTest, public testing::WithParamInterface<SignInCase> {
 protected:
  absl::StatusOr<Observation> InspectAs(std::vector<OptionValue> options,
                                        absl::string_view path = "/identity") {
    options.push_back(Option(kAuthUrlFlag, absl::StrCat(fake_.url(), path)));
    return driver_.Inspect(*Call(), MachineOf(options));
  }
};
TEST_P(SignInTest, IsUnderstood) {
  const auto seen = InspectAs(GetParam().options);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->state(), machine::v1::MACHINE_STATE_NOT_FOUND);
}
const auto kUser = Option(kUsernameFlag, "demo");
const auto kSecret = SecretOption(kPasswordFlag, FakeOpenStack::kPassword);
const auto kProject = Option(kTenantNameFlag, "demo");
const auto kAppSecret = SecretOption(kApplicationSecretFlag, FakeOpenStack::kApplicationSecret);
INSTANTIATE_TEST_SUITE_P(
    Ways, SignInTest,
    testing::ValuesIn<SignInCase>({
        {"TenantNameAlone", {kUser, kSecret, kProject}},
        {"TenantId", {kUser, kSecret, Option(kTenantIdFlag, FakeOpenStack::kProjectId)}},
        {"ProjectName", {kUser, kSecret, Option("openstack-project-name", "demo")}},
        {"DomainName", {kUser, kSecret, kProject, Option(kDomainNameFlag, "Default")}},
        {"DomainId", {kUser, kSecret, kProject, Option(kDomainIdFlag, "default")}},
        {"UserDomainName", {kUser, kSecret, kProject, Option(kUserDomainNameFlag, "Default")}},
        {"UserDomainId", {kUser, kSecret, kProject, Option(kUserDomainIdFlag, "default")}},
        {"BothDomains",
         {kUser, kSecret, kProject, Option(kUserDomainIdFlag, "default"),
          Option(kProjectDomainNameFlag, "Default")}},
        {"ProjectDomainBeforeDomain",
         {kUser, kSecret, kProject, Option(kDomainNameFlag, "nowhere"),
          Option(kUserDomainIdFlag, "default"), Option(kProjectDomainIdFlag, "default")}},
        {"UserId", {Option(kUserIdFlag, FakeOpenStack::kUserId), kSecret, kProject}},
        {"ApplicationId", {Option(kApplicationIdFlag, "app-1"), kAppSecret}},
        {"ApplicationIdBesideProject", {Option(kApplicationIdFlag, "app-1"), kAppSecret, kProject}},
        {"ApplicationName", {Option(kApplicationNameFlag, "builder"), kAppSecret, kUser}},
        {"InterfaceWithoutUrl", {kUser, kSecret, kProject, Option(kEndpointTypeFlag, "public")}},
        {"Region", {kUser, kSecret, kProject, Option(kRegionFlag, "RegionOne")}},
    }),
    [](const auto& info) { return std::string(info.param.label); });

TEST_F(SignInTest, EveryFormOfTheUrlLeadsToV3) {
  for (const char* const path : {"/identity", "/identity/", "/identity/v3", "/identity/v3/",
                                 "/identity/v2.0", "/identity/v2.0/"}) {
    OpenStackDriver driver(FastTiming<Timing>());
    const auto seen = InspectAs({kUser, kSecret, kProject}, path);
    EXPECT_TRUE(seen.ok()) << path << ": " << seen.status();
  }
}

TEST_F(SignInTest, ATokenSignsIn) {
  ASSERT_TRUE(InspectAs({kUser, kSecret, kProject}).ok());
  // What the fake gave.
  const std::string token = fake_.requests().back().Header("X-Auth-Token");
  const auto seen = InspectAs({SecretOption(kTokenFlag, token), kProject});
  EXPECT_TRUE(seen.ok()) << seen.status();
  // It is for the project already, and used as it is.
  EXPECT_EQ(fake_.requests().back().Header("X-Auth-Token"), token);
  EXPECT_EQ(fake_.CountOf(kSignIn), 1);
}

TEST_F(SignInTest, ARefusalSaysWhere) {
  const auto seen = InspectAs({kUser, SecretOption(kPasswordFlag, "wrong-secret"), kProject});
  EXPECT_EQ(seen.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(common::ReasonOf(seen.status()), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
  EXPECT_THAT(std::string(seen.status().message()), HasSubstr("requires authentication"));
  EXPECT_THAT(std::string(seen.status().message()), testing::Not(HasSubstr("wrong-secret")));
}

TEST_F(SignInTest, WithoutAProjectTheyAreListed) {
  const auto seen = InspectAs({kUser, kSecret});
  EXPECT_THAT(std::string(seen.status().message()),
              testing::AllOf(HasSubstr("--openstack-tenant-name"), HasSubstr("demo, other")));
}

TEST_F(OpenStackTest, ATokenIsFetchedOnceAndAnewWhenItIsRefused) {
  MachineSpec machine = Machine();
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.CountOf(kSignIn), 1);
  fake_.RevokeTokens();
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_RUNNING);
  EXPECT_EQ(fake_.CountOf(kSignIn), 2);
  // A token that is refused for good is asked for once more, not for ever.
  fake_.Order({.kind = Fault::Kind::kStatus,
               .route = "GET /compute/v2.1/servers/{id}",
               .times = 2,
               .status = 401});
  EXPECT_EQ(driver_.Inspect(*Call(), machine).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(fake_.CountOf(kSignIn), 3);
}

TEST_F(OpenStackTest, AShortTokenIsRenewedAtHalfItsLife) {
  fake_.SetTokenLifetime(absl::Milliseconds(1));
  MachineSpec machine = Machine();
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_EQ(Inspect(machine), machine::v1::MACHINE_STATE_NOT_FOUND);
  EXPECT_GE(fake_.CountOf(kSignIn), 2);
}

TEST(ParseExpiryTest, KnowsBothForms) {
  const absl::Time time = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(ParseExpiry("2023-11-14T22:13:20.000000Z"), time);
  EXPECT_EQ(ParseExpiry("2023-11-14T22:13:20Z"), time);
  EXPECT_EQ(ParseExpiry("2023-11-14T16:13:20.000-06:00"), time);
  EXPECT_EQ(ParseExpiry("2023-11-14T22:13:20.000000"), time);
  EXPECT_EQ(ParseExpiry("tomorrow"), absl::InfinitePast());
}

TEST_F(OpenStackTest, FindsServicesWhereverTheCatalogueHasThem) {
  for (const char* const path : {"/compute", "/compute/", "/compute/v2.1", "/compute/v2.1/"}) {
    fake_.SetCatalogPath("compute", path);
    fake_.SetCatalogPath("network", "/networking/");
    OpenStackDriver driver(FastTiming<Timing>());
    ASSERT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
    MachineSpec machine = Machine();
    const absl::Status status = driver.PreCreateCheck(*Call(), machine);
    EXPECT_TRUE(status.ok()) << path << ": " << status;
  }
}

TEST_F(OpenStackTest, OldNamesOfVolumeServicesCount) {
  fake_.RemoveService("block-storage");
  const auto options = {BoolOption(kBootFromVolumeFlag, true),
                        Option(kVolumeTypeFlag, "lvmdriver-1")};
  EXPECT_THAT(std::string(PreCreateCheck(options).message()),
              HasSubstr("no public address of the block storage service"));
  fake_.SetCatalogPath("volumev3", "/volume/v3");
  OpenStackDriver driver(FastTiming<Timing>());
  ASSERT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  EXPECT_TRUE(driver.PreCreateCheck(*Call(), Machine(options)).ok());
}

TEST_F(OpenStackTest, SeveralRegionsAreListed) {
  fake_.AddRegion("RegionTwo");
  EXPECT_THAT(std::string(PreCreateCheck({}).message()),
              testing::AllOf(HasSubstr("--openstack-region"), HasSubstr("RegionOne, RegionTwo")));
  EXPECT_TRUE(PreCreateCheck({Option(kRegionFlag, "RegionOne")}).ok());
}

TEST_F(OpenStackTest, CloudsYamlGivesWhatIsNotGiven) {
  const std::string clouds =
      absl::StrCat("clouds:\n  home:\n    auth:\n      auth_url: ", fake_.url(),
                   "/identity\n      username: demo\n      project_name: demo\n"
                   "      user_domain_name: Default\n      project_domain_id: default\n"
                   "    region_name: RegionOne\n    interface: public\n    verify: true\n"
                   "  away:\n    auth: {auth_url: https://elsewhere.example/v3}\n");
  const std::string secure =
      absl::StrCat("clouds:\n  home:\n    auth:\n      password: ", FakeOpenStack::kPassword, "\n");
  const std::vector<OptionValue> home = {Option(kCloudFlag, "home"),
                                         SecretOption(kCloudsTextFlag, clouds),
                                         SecretOption(kSecureTextFlag, secure)};
  const absl::Status status = driver_.PreCreateCheck(*Call(), MachineOf(home));
  EXPECT_TRUE(status.ok()) << status;

  std::vector<OptionValue> mixed = home;
  mixed.push_back(Option(kTenantNameFlag, "other"));
  EXPECT_THAT(std::string(MakeOptions(driver_, mixed).status().message()),
              testing::AllOf(HasSubstr("--openstack-tenant-name"), HasSubstr("leave one")));

  const auto unknown =
      MakeOptions(driver_, {Option(kCloudFlag, "nowhere"), SecretOption(kCloudsTextFlag, clouds)});
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("there are home, away"));
  const auto broken = MakeOptions(
      driver_, {Option(kCloudFlag, "x"), SecretOption(kCloudsTextFlag, "clouds: [secret: {")});
  EXPECT_THAT(std::string(broken.status().message()),
              testing::AllOf(HasSubstr("not YAML"), testing::Not(HasSubstr("secret"))));
}

class OpenStackOptions final : public OpenStackCloud {
 public:
  OpenStackOptions() {
    fake->AddImage("20000000-0000-4000-8000-0000000000aa", "twice");
    fake->AddImage("20000000-0000-4000-8000-0000000000ab", "twice");
    fake->AddFlavor("f1", "twin", 2048, 20);
    fake->AddFlavor("f2", "twin", 2048, 20);
    fake->AddNetwork("10000000-0000-4000-8000-0000000000aa", "pair", false, false);
    fake->AddNetwork("10000000-0000-4000-8000-0000000000ab", "pair", false, false);
    fake->AddGroup("double");
    fake->AddGroup("double");
  }

  static std::vector<CheckRow> Checks() {
    return {
        {"Region", {Option(kRegionFlag, "mars")}, {"--openstack-region", "there are RegionOne"}},
        {"Flavor",
         {Option(kFlavorNameFlag, "xxl")},
         {"--openstack-flavor-name", "cirros256, ds1G, m1.small, m1.tiny"}},
        {"FlavorId", {Option(kFlavorIdFlag, "999")}, {"--openstack-flavor-id", "d1 ds1G"}},
        {"TwoFlavors",
         {Option(kFlavorNameFlag, "twin")},
         {"2 flavors called", "--openstack-flavor-id: f1, f2"},
         "--openstack-flavor-id"},
        {"Image", {Option(kImageNameFlag, "beos")}, {"--openstack-image-name", "Ubuntu 25.10"}},
        {"ImageId", {Option(kImageIdFlag, "no-such")}, {"--openstack-image-id", "Ubuntu 25.10"}},
        {"TwoImages",
         {Option(kImageNameFlag, "twice")},
         {"2 images called", "0000aa, "},
         "--openstack-image-id"},
        {"Network", {Option(kNetNameFlag, "moon")}, {"--openstack-net-name", "private, public"}},
        {"TwoNetworks",
         {Option(kNetNameFlag, "pair")},
         {"2 networks called", "openstack-net-id"},
         "--openstack-net-id"},
        {"NetworkById", {Option(kNetIdFlag, FakeOpenStack::kPrivateNetwork)}, {}},
        {"Pool",
         {Option(kPoolFlag, "private")},
         {"--openstack-floatingip-pool", "external network", "there are public"}},
        {"PoolById", {Option(kPoolFlag, FakeOpenStack::kPublicNetwork)}, {}},
        {"Zone", {Option(kZoneFlag, "closed")}, {"--openstack-availability-zone", "nova"}},
        {"ZoneWithHost", {Option(kZoneFlag, "nova:host7")}, {}},
        {"Group", {Option(kSecGroupsFlag, "web")}, {"--openstack-sec-groups", "default"}},
        {"TwoGroups", {Option(kSecGroupsFlag, "double")}, {"2 security groups called"}},
        {"GroupsWithoutPortSecurity",
         {Option(kNetNameFlag, "open"), Option(kSecGroupsFlag, "default")},
         {"port security"},
         "--openstack-sec-groups"},
        {"KeyPair", {Option(kKeyPairFlag, "mine")}, {"--openstack-keypair-name"}},
        {"VolumeType",
         {BoolOption(kBootFromVolumeFlag, true), Option(kVolumeTypeFlag, "fast")},
         {"--openstack-volume-type", "lvmdriver-1"},
         "--openstack-volume-type"},
        {"NovaNetwork", {BoolOption(kNovaNetworkFlag, true)}, {"left OpenStack", "Neutron"}},
        {"InternalAddressesOnly",
         {Option(kEndpointTypeFlag, "internalURL"), Option(kImageIdFlag, "x")},
         {"127.0.0.1:1"},
         "127.0.0.1:1"},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"NoUrl", {Option(kAuthUrlFlag, "")}, "--openstack-auth-url"},
        {"NotAUrl", {Option(kAuthUrlFlag, "cloud.example")}, "--openstack-auth-url"},
        {"UrlWithPassword", {Option(kAuthUrlFlag, "https://a:b@c/v3")}, "--openstack-auth-url"},
        {"NoUser", {Option(kUsernameFlag, "")}, "--openstack-username"},
        {"NoPassword", {SecretOption(kPasswordFlag, "")}, "--openstack-password"},
        {"ApplicationWithoutSecret",
         {Option(kApplicationIdFlag, "a")},
         "--openstack-application-credential-secret"},
        {"SecretWithoutApplication", {kAppSecret}, "--openstack-application-credential-id"},
        {"TwoFlavors",
         {Option(kFlavorIdFlag, "1"), Option(kFlavorNameFlag, "a")},
         "--openstack-flavor-name"},
        {"TwoImages",
         {Option(kImageIdFlag, "1"), Option(kImageNameFlag, "a")},
         "--openstack-image-name"},
        {"TwoNetworks",
         {Option(kNetIdFlag, "1"), Option(kNetNameFlag, "a")},
         "--openstack-net-name"},
        {"Cidr",
         {Option(kOpenCidrFlag, std::vector<std::string>{"10.0.0.1"})},
         "--openstack-open-cidr"},
        {"Interface", {Option(kEndpointTypeFlag, "secretURL")}, "--openstack-endpoint-type"},
        {"IpVersion", {Option(kIpVersionFlag, 5)}, "--openstack-ip-version"},
        {"Metadata",
         {Option(kMetadataFlag, std::vector<std::string>{"no-value"})},
         "--openstack-metadata"},
        {"PrivateWithPool",
         {BoolOption(kPrivateOnlyFlag, true), Option(kPoolFlag, "public")},
         "--openstack-floatingip-pool"},
        {"VolumeWithoutBoot", {Option(kVolumeSizeFlag, 10)}, "--openstack-volume-size"},
        {"CaCert", {Option(kCaCertTextFlag, "no certificate")}, "--openstack-cacert"},
        {"UserData",
         {Option(kUserDataTextFlag, std::string(60'000, 'x'))},
         "--openstack-user-data"},
        {"NoCloudsFile",
         {Option(kCloudFlag, "x"), SecretOption(kCloudsTextFlag, "a: b")},
         "--openstack-cloud"},
    };
  }
};
INSTANTIATE_CLOUD_OPTIONS_SUITE(OpenStackOptions);

TEST_F(OpenStackTest, SeveralNetworksOfTheProjectAreListed) {
  fake_.AddNetwork("10000000-0000-4000-8000-0000000000ac", "second", true, false);
  EXPECT_THAT(std::string(PreCreateCheck({}).message()),
              testing::AllOf(HasSubstr("several networks"), HasSubstr("private, second")));
}

TEST_F(OpenStackTest, AFullProjectFailsTheCheck) {
  fake_.SetServerLimit(0);
  const absl::Status status = PreCreateCheck({});
  EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("quota"));
}

TEST_F(OpenStackTest, WarnsOfOpenDoors) {
  EXPECT_TRUE(PreCreateCheck({Option(kUserDataTextFlag, "#!/bin/sh")}).ok());
  EXPECT_THAT(record_.log, ElementsAre(HasSubstr("unencrypted"), HasSubstr("may try ssh"),
                                       HasSubstr("disable_root")));
}

TEST_F(OpenStackTest, ACertificateIsVerifiedUnlessToldOtherwise) {
  const auto authority = common::CertAuthority::Create("test", absl::Hours(1));
  ASSERT_TRUE(authority.ok()) << authority.status();
  const auto cert = authority->IssueServer({"127.0.0.1"}, absl::Hours(1));
  ASSERT_TRUE(cert.ok()) << cert.status();
  const std::string cert_path = testing::TempDir() + "/cloud.pem";
  const std::string key_path = testing::TempDir() + "/cloud.key";
  ASSERT_TRUE(common::WriteFileAtomically(cert_path, cert->cert_pem, 0600).ok());
  ASSERT_TRUE(common::WriteFileAtomically(key_path, cert->key_pem.view(), 0600).ok());
  httplib::SSLServer server(cert_path.c_str(), key_path.c_str());
  server.Post("/v3/auth/tokens", [](const httplib::Request&, httplib::Response& to) {
    to.status = 403;
    to.set_content(R"({"error": {"message": "the user is locked"}})", "application/json");
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&] { server.listen_after_bind(); });
  const auto check = [&](std::vector<OptionValue> options) {
    options.insert(options.end(), {Option(kAuthUrlFlag, absl::StrCat("https://127.0.0.1:", port)),
                                   kUser, kSecret, kProject});
    return driver_.PreCreateCheck(*Call(), MachineOf(options));
  };
  const absl::Status strict = check({});
  const absl::Status insecure = check({BoolOption(kInsecureFlag, true)});
  const absl::Status trusted = check({Option(kCaCertTextFlag, authority->cert_pem())});
  server.stop();
  serving.join();
  EXPECT_EQ(common::ReasonOf(strict), machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED) << strict;
  for (const absl::Status& status : {insecure, trusted}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the user is locked"));
  }
  EXPECT_THAT(record_.log, testing::Contains(HasSubstr("certificate is not verified")));
}

}  // namespace
}  // namespace machine::driver::openstack
