// Every typed call against prism on DigitalOcean's own description: a second opinion on what is
// sent, and the first on whether the answers are understood.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/digitalocean/digitalocean_api.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/prism/prism.h"

namespace machine::driver::digitalocean {
namespace {

class PrismE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto program = fakes::Prism::Program();
    if (!program.has_value()) GTEST_SKIP() << "MACHINE_PRISM names no program";
    const auto folder = fakes::DescriptionsFolder();
    if (!folder.has_value()) GTEST_SKIP() << "MACHINE_SPECS_DIR names no folder of descriptions";
    auto prism = fakes::Prism::Start(*program,
                                     absl::StrCat(*folder, "/digitalocean/droplets.openapi3.json"));
    ASSERT_TRUE(prism.ok()) << prism.status();
    prism_ = *std::move(prism);
    api_ = std::make_unique<DigitalOceanApi>(http_, prism_->url(), "token", Backoff());
  }

  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  common::HttpClient http_;
  std::unique_ptr<fakes::Prism> prism_;
  std::unique_ptr<DigitalOceanApi> api_;
};

TEST_F(PrismE2eTest, TakesWhatIsSentAndIsUnderstood) {
  const auto account = api_->GetAccount(*call_);
  ASSERT_TRUE(account.ok()) << account.status();
  EXPECT_EQ(account->status, "active");
  const auto regions = api_->ListRegions(*call_);
  ASSERT_TRUE(regions.ok()) << regions.status();
  EXPECT_FALSE(regions->empty());
  const auto sizes = api_->ListSizes(*call_);
  ASSERT_TRUE(sizes.ok()) << sizes.status();
  ASSERT_FALSE(sizes->empty());
  EXPECT_GT(sizes->front().price_hourly, 0);
  const auto images = api_->ListDistributions(*call_);
  ASSERT_TRUE(images.ok()) << images.status();
  const auto image = api_->FindImage(*call_, "ubuntu-24-04-x64");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_TRUE(image->has_value());
  const auto key = api_->CreateSshKey(*call_, "machine-uid-u", kTestKey);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_NE(key->id, 0);
  const auto keys = api_->ListSshKeys(*call_);
  ASSERT_TRUE(keys.ok()) << keys.status();
  const auto by_fingerprint =
      api_->FindSshKey(*call_, "3b:16:bf:e4:8b:00:8b:b8:59:8c:a9:d3:f0:19:45:fa");
  ASSERT_TRUE(by_fingerprint.ok()) << by_fingerprint.status();
  EXPECT_TRUE(by_fingerprint->has_value());
  const auto made = api_->CreateDroplet(*call_, {.name = "dev",
                                                 .region = "nyc3",
                                                 .size = "s-1vcpu-1gb",
                                                 .image = "ubuntu-24-04-x64",
                                                 .ssh_keys = {key->id},
                                                 .tags = {"machine-uid-u"},
                                                 .user_data = "#cloud-config\n",
                                                 .vpc_uuid = "760e09ef-dc84-11e8-981e-3cfdfeaae000",
                                                 .public_network = false});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(made->id, 0);
  const auto found = api_->FindDroplet(*call_, made->id);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(found->has_value());
  EXPECT_FALSE((*found)->public_v4.empty());
  const auto listed = api_->ListDroplets(*call_, "machine-uid-u");
  ASSERT_TRUE(listed.ok()) << listed.status();
  for (const char* const type : {"power_on", "power_off", "shutdown", "reboot"}) {
    const auto action = api_->Act(*call_, made->id, type);
    ASSERT_TRUE(action.ok()) << type << ": " << action.status();
    ASSERT_TRUE(action->has_value());
    const auto under_way = api_->GetAction(*call_, made->id, (*action)->id);
    EXPECT_TRUE(under_way.ok()) << under_way.status();
  }
  EXPECT_TRUE(api_->CreateTag(*call_, "machine-uid-u").ok());
  EXPECT_TRUE(api_->DeleteDroplet(*call_, made->id).ok());
  EXPECT_TRUE(api_->DeleteSshKey(*call_, key->id).ok());
}

TEST_F(PrismE2eTest, RefusesWhatDoesNotFit) {
  const auto made = api_->CreateDroplet(
      *call_, {.name = "no host name!", .region = "nyc3", .size = "s", .image = "i"});
  EXPECT_FALSE(made.ok());
}

}  // namespace
}  // namespace machine::driver::digitalocean
