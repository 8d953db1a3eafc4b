// What is asked for and cannot be had: the error says what can.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/azure/catalog.h"
#include "drivers/azure/test_azure.h"
#include "drivers/sdk/conformance/cloud_options_suite.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

using testing::HasSubstr;
using List = std::vector<std::string>;

class AzureOptions final : public AzureCloud {
 public:
  AzureOptions() {
    fake->AddGroup("shared", "westus");
    fake->AddNetwork("hub", "corp", "machines");
  }

  static std::vector<CheckRow> Checks() {
    return {
        {"PublishSettings", {Option(kPublishSettingsFlag, "my.publishsettings")}, {"2023-09-06"}},
        {"AvailabilitySet", {Option(kAvailabilitySetFlag, "set")}, {"--azure-availability-zone"}},
        {"Location",
         {Option(kLocationFlag, "West Mars")},
         {"there are eastus, westeurope, westus"}},
        {"NoSize", {Option(kLocationFlag, "eastus")}, {"no size with 1 GiB"}},
        {"Size", {Option(kSizeFlag, "Standard_Z9")}, {"Standard_B1ls, Standard_B1ms"}},
        {"Publisher", {Option(kImageFlag, "Nobody:x:y:latest")}, {"no publisher \"Nobody\""}},
        {"Offer", {Option(kImageFlag, "Canonical:x:y:latest")}, {"ubuntu-24_04-lts"}},
        {"Sku", {Option(kImageFlag, "Canonical:ubuntu-24_04-lts:y:latest")}, {"server-arm64"}},
        {"Version",
         {Option(kImageFlag, "Canonical:ubuntu-24_04-lts:server:1.2.3")},
         {"24.04.202611010"}},
        {"OwnImage",
         {Option(kImageFlag, absl::StrCat("/subscriptions/", fakes::FakeAzure::kSubscription,
                                          "/resourceGroups/hub/providers/Microsoft.Compute/images/"
                                          "golden"))},
         {"there is no image"}},
        {"Group", {Option(kGroupFlag, "none")}, {"there are shared"}},
        {"Vnet", {Option(kNetworkFlag, "hub:other")}, {"has no virtual network other"}},
        {"NoPublicIp", {BoolOption(kNoPublicIpFlag, true)}, {"--azure-vnet"}},
        {"Subnet", {Option(kNetworkFlag, "hub:corp")}, {"there are machines"}, "--azure-subnet"},
    };
  }
  static std::vector<BadOptionRow> BadOptions() {
    return {
        {"ClassicImage",
         {Option(kImageFlag,
                 "b39f27a8b8c64d52b05eac6a62ebad85__Ubuntu-14_04_1-LTS-amd64-server-"
                 "20140927-en-us-30GB")},
         "classic deployments"},
        {"Image", {Option(kImageFlag, "ubuntu")}, "PUBLISHER:OFFER:SKU:VERSION"},
        {"German", {Option(kEnvironmentFlag, "AzureGermanCloud")}, "germanywestcentral"},
        {"Environment", {Option(kEnvironmentFlag, "Moon")}, "AzureChinaCloud"},
        {"Subscription", {Option(kSubscriptionFlag, "a/b")}, "is no id such as"},
        {"Location", {Option(kLocationFlag, "west/us")}, "is no name"},
        {"User", {Option(kUsernameFlag, "root")}, "Azure takes no user root"},
        {"UserName", {Option(kUsernameFlag, "a b")}, "no name of a user"},
        {"Password", {SecretOption(kPasswordFlag, "short")}, "12 to 72"},
        {"Token", {SecretOption(kTokenFlag, "a b")}, "spaces"},
        {"Vnet", {Option(kNetworkFlag, "corp")}, "GROUP:NAME"},
        {"Group", {Option(kGroupFlag, "a/b")}, "is no name"},
        {"PrivateIp", {Option(kPrivateIpFlag, "10.0.0")}, "is no address"},
        {"Dns", {Option(kDnsFlag, "Up")}, "is no label"},
        {"Zone", {Option(kZoneFlag, "4")}, "4"},
        {"Cidr", {Option(kOpenCidrFlag, List{"10.0.0.1"})}, "is not a range"},
        {"Cidr6", {Option(kOpenCidrFlag, List{"::/0"})}, "IPv4"},
        {"Port", {Option("azure-open-port", List{"http"})}, "is no port"},
        {"Tag", {Option("azure-tags", List{"=x"})}, "is no KEY=VALUE"},
        {"OwnTag", {Option("azure-tags", List{"machine-uid=x"})}, "driver's own"},
        {"CustomData", {Option("azure-custom-data-text", std::string(70'000, 'x'))}, "65,535"},
        {"Endpoint", {Option(kEndpointFlag, "http://example.com")}, "https"},
        {"Certificate", {SecretOption(kCertificateTextFlag, "no pem")}, ""},
    };
  }
};
INSTANTIATE_CLOUD_OPTIONS_SUITE(AzureOptions);

TEST_F(AzureTest, ACertificateNeedsItsPrincipal) {
  const absl::Status refused =
      OptionsOf({SecretOption(kTokenFlag, ""), SecretOption(kCertificateTextFlag, "x")}).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("management certificates"));
}

TEST_F(AzureTest, AZoneMustHaveTheSize) {
  MachineSpec machine = Machine({Option(kSizeFlag, "Standard_B1s"), Option(kZoneFlag, "3")});
  EXPECT_THAT(std::string(driver_.PreCreateCheck(*Call(), machine).message()),
              HasSubstr("there are 1, 2"));
  // The smallest is one that the zone has.
  machine = Machine({Option(kZoneFlag, "3")});
  ASSERT_TRUE(Create(machine).ok());
  EXPECT_EQ(fake_.LastPut("virtualMachines")["properties"]["hardwareProfile"]["vmSize"],
            "Standard_B1ms");
}

TEST_F(AzureTest, ASizeThatTheSubscriptionMayNotHaveIsNamed) {
  const std::vector<Size> sizes = {{.name = "Standard_B1s",
                                    .cpus = 1,
                                    .memory_gib = 1,
                                    .generation2 = true,
                                    .restriction = "NotAvailableForSubscription",
                                    .zones = {}},
                                   {.name = "Standard_F1s",
                                    .cpus = 1,
                                    .memory_gib = 2,
                                    .generation2 = true,
                                    .restriction = "",
                                    .zones = {}},
                                   {.name = "Standard_B1ms",
                                    .cpus = 1,
                                    .memory_gib = 2,
                                    .generation2 = true,
                                    .restriction = "",
                                    .zones = {}}};
  EXPECT_EQ(SmallestUsable(sizes, "")->name, "Standard_B1ms");
  EXPECT_FALSE(SmallestUsable(sizes, "1").has_value());
}

TEST_F(AzureTest, OldSizesHaveNewNames) {
  const std::pair<const char*, const char*> names[] = {
      {"ExtraSmall", "Standard_B1s"},  {"Small", "Standard_B1ms"},      {"Medium", "Standard_B2s"},
      {"Large", "Standard_B4ms"},      {"ExtraLarge", "Standard_B8ms"}, {"A5", "Standard_E2s_v3"},
      {"Standard_B2s", "Standard_B2s"}};
  for (const auto& [old_name, new_name] : names) {
    const auto settings = ReadSettings(Machine({Option(kSizeFlag, old_name)}).options);
    ASSERT_TRUE(settings.ok()) << settings.status();
    EXPECT_EQ(settings->size, new_name);
  }
}

TEST_F(AzureTest, TheNewestLtsIsOfAnEvenApril) {
  EXPECT_EQ(NewestUbuntuLts({"ubuntu-22_04-lts", "ubuntu-26_04-lts", "ubuntu-25_10",
                             "ubuntu-24_04-lts", "ubuntu-26_04-lts-daily", "ubuntu-hpc"}),
            "ubuntu-26_04-lts");
  EXPECT_EQ(NewestUbuntuLts({"ubuntu-25_10"}), std::nullopt);
  EXPECT_EQ(NewestVersion({"22.4.9", "22.4.10", "22.3.11"}), "22.4.10");
  EXPECT_EQ(NewestVersion({}), "");
}

TEST_F(AzureTest, AnAccountThatCannotCreateIsRefusedByName) {
  MachineSpec machine = Machine();
  fake_.SetSubscriptionState("Disabled");
  EXPECT_THAT(std::string(driver_.PreCreateCheck(*Call(), machine).message()),
              HasSubstr("is disabled"));
  fake_.SetToken("another");
  const absl::Status refused = driver_.PreCreateCheck(*Call(), machine);
  EXPECT_EQ(common::ReasonOf(refused), machine::v1::ERROR_REASON_PROVIDER_CREDENTIALS);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--azure-access-token"));
  machine = Machine({Option(kSubscriptionFlag, "11111111-1111-4111-8111-111111111111")});
  EXPECT_THAT(std::string(driver_.PreCreateCheck(*Call(), machine).message()),
              HasSubstr("is not there"));
}

}  // namespace
}  // namespace machine::driver::azure
