// Every typed call against prism on Microsoft's own descriptions: a second opinion on what is sent,
// and the first on whether the answers are understood.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/azure/azure_api.h"
#include "drivers/azure/azure_json.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/prism/prism.h"

namespace machine::driver::azure {
namespace {

constexpr char kSubscription[] = "d255d8d7-5af0-4f5c-8a3e-1545044b861e";

class PrismE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    program_ = fakes::Prism::Program();
    if (!program_.has_value()) GTEST_SKIP() << "MACHINE_PRISM names no program";
    folder_ = fakes::DescriptionsFolder();
    if (!folder_.has_value()) GTEST_SKIP() << "MACHINE_SPECS_DIR names no folder of descriptions";
  }

  // An API that answers by one of the descriptions.
  const AzureApi& Api(absl::string_view description) {
    auto prism =
        fakes::Prism::Start(*program_, absl::StrCat(*folder_, "/azure/", description, ".json"));
    EXPECT_TRUE(prism.ok()) << prism.status();
    if (prism.ok()) prism_ = *std::move(prism);
    api_ = std::make_unique<AzureApi>(http_, prism.ok() ? prism_->url() : "http://127.0.0.1:1",
                                      kSubscription, GivenToken("token"), Backoff());
    return *api_;
  }

  void ExpectKept(Kind kind, absl::string_view description, const Json& body) {
    const AzureApi& api = Api(description);
    const auto made = api.Put(*call_, kind, "group", "name", body);
    EXPECT_TRUE(made.ok()) << made.status();
    const auto found = api.Find(*call_, kind, "group", "name");
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_TRUE(found->has_value());
    const auto deleted = api.Delete(*call_, kind, "group", "name");
    EXPECT_TRUE(deleted.ok()) << deleted.status();
  }

  std::optional<std::string> program_;
  std::optional<std::string> folder_;
  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  common::HttpClient http_;
  std::unique_ptr<fakes::Prism> prism_;
  std::unique_ptr<AzureApi> api_;
};

TEST_F(PrismE2eTest, Machines) {
  const MachineSpecification spec = {
      .location = "westus",
      .tags = {{"a", "b"}},
      .zone = "1",
      .size = "Standard_B1s",
      .image = {"Canonical", "ubuntu-24_04-lts", "server", "24.04.202611010", ""},
      .disk_name = "disk",
      .disk_type = "StandardSSD_LRS",
      .disk_gb = 64,
      .interface_id = "/subscriptions/s/…/nic",
      .host_name = "dev",
      .username = "ubuntu",
      .ssh_public_key = std::string(kTestKey),
      .password = "correct-Horse-7",
      .custom_data = "#cloud-config\n"};
  ExpectKept(Kind::kMachine, "compute-2019-03-01.openapi3", BodyOf(spec));
  for (const char* const verb : {"start", "restart", "deallocate", "powerOff"}) {
    const auto begun = api_->Act(*call_, "group", "name", verb);
    EXPECT_TRUE(begun.ok()) << verb << ": " << begun.status();
  }
  const auto machine = api_->FindMachine(*call_, "group", "name");
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_TRUE(machine->has_value());
  const auto offers = api_->ListOffers(*call_, "westus", "Canonical");
  ASSERT_TRUE(offers.ok()) << offers.status();
  EXPECT_FALSE(offers->empty());
  const auto versions = api_->ListVersions(*call_, "westus", spec.image);
  ASSERT_TRUE(versions.ok()) << versions.status();
}

TEST_F(PrismE2eTest, Networks) {
  ExpectKept(Kind::kNetwork, "network-2016-09-01-virtualNetwork.swagger2",
             BodyOf(NetworkSpec{"westus", {}, "192.168.0.0/16", "docker-machine"}));
  ExpectKept(Kind::kSecurityGroup, "network-2016-09-01-networkSecurityGroup.swagger2",
             BodyOf(SecurityGroupSpec{"westus", {}, {"22/Tcp", "53/Udp"}, {"203.0.113.0/24"}}));
  ExpectKept(Kind::kPublicAddress, "network-2016-09-01-publicIpAddress.swagger2",
             BodyOf(PublicAddressSpec{"westus", {}, "dev-one", "1"}));
  ExpectKept(Kind::kInterface, "network-2016-09-01-networkInterface.swagger2",
             BodyOf(InterfaceSpec{"westus", {}, "subnet", "nsg", "ip", "192.168.0.4"}));
}

TEST_F(PrismE2eTest, Groups) {
  const AzureApi& api = Api("resources-2019-08-01.openapi3");
  EXPECT_TRUE(api.PutGroup(*call_, "group", "westus", {{"a", "b"}}).ok());
  const auto found = api.FindGroup(*call_, "group");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->has_value());
  EXPECT_TRUE(api.RegistrationOf(*call_, "Microsoft.Compute").ok());
  EXPECT_TRUE(api.Register(*call_, "Microsoft.Compute").ok());
  EXPECT_TRUE(api.DeleteGroup(*call_, "group").ok());
}

}  // namespace
}  // namespace machine::driver::azure
