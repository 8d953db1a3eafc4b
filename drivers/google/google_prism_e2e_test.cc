// Every typed call against prism on Google's own description: a second opinion on what is sent, and
// the first on whether the answers are understood.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/google/google_api.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openapi/description.h"
#include "tests/fakes/prism/prism.h"

namespace machine::driver::gce {
namespace {

constexpr char kRequestId[] = "0f8fad5b-d9cb-869f-a165-70867728950e";

class PrismE2eTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto program = fakes::Prism::Program();
    if (!program.has_value()) GTEST_SKIP() << "MACHINE_PRISM names no program";
    const auto folder = fakes::DescriptionsFolder();
    if (!folder.has_value()) GTEST_SKIP() << "MACHINE_SPECS_DIR names no folder of descriptions";
    auto prism =
        fakes::Prism::Start(*program, absl::StrCat(*folder, "/google/compute-v1.openapi3.json"));
    ASSERT_TRUE(prism.ok()) << prism.status();
    prism_ = *std::move(prism);
    api_ = std::make_unique<GoogleApi>(http_, prism_->url(), "my-project", GivenToken("ya29.token"),
                                       Backoff());
  }

  void ExpectOperation(const absl::StatusOr<Operation>& operation) {
    ASSERT_TRUE(operation.ok()) << operation.status();
    EXPECT_FALSE(operation->name.empty());
  }
  void ExpectOperation(const absl::StatusOr<std::optional<Operation>>& operation) {
    ASSERT_TRUE(operation.ok()) << operation.status();
    EXPECT_TRUE(operation->has_value());
  }

  CallRecord record_;
  const std::unique_ptr<DriverCall> call_ = MakeCall("uid", record_);
  common::HttpClient http_;
  std::unique_ptr<fakes::Prism> prism_;
  std::unique_ptr<GoogleApi> api_;
};

TEST_F(PrismE2eTest, TakesTheReadsAndIsUnderstood) {
  EXPECT_TRUE(api_->CheckProject(*call_).ok());
  const auto image = api_->FindImageOfFamily(*call_, "ubuntu-os-cloud", "ubuntu-2404-lts-amd64");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_TRUE(image->has_value());
  EXPECT_TRUE(api_->FindImage(*call_, "ubuntu-os-cloud", "ubuntu-2404").ok());
  const auto network = api_->FindNetwork(*call_, "projects/my-project/global/networks/default");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_TRUE(network->has_value());
  EXPECT_TRUE(
      api_->HasSubnetwork(*call_, "projects/p/regions/us-central1/subnetworks/default").ok());
  EXPECT_TRUE(api_->HasFirewall(*call_, "machine-uid-u").ok());
  const auto address = api_->FindAddress(*call_, "us-central1", "machine-uid-u");
  ASSERT_TRUE(address.ok()) << address.status();
  const auto instance = api_->FindInstance(*call_, "us-central1-a", "dev");
  ASSERT_TRUE(instance.ok()) << instance.status();
  ASSERT_TRUE(instance->has_value());
  EXPECT_FALSE((*instance)->status.empty());
  EXPECT_TRUE(api_->FindDisk(*call_, "us-central1-a", "dev").ok());
  for (const char* const scope : {"zones/us-central1-a", "regions/us-central1", "global"}) {
    ExpectOperation(api_->GetOperation(*call_, {.name = "operation-1", .scope = scope}));
  }
}

TEST_F(PrismE2eTest, TakesTheMutations) {
  InstanceSpec spec = {.name = "dev",
                       .zone = "us-central1-a",
                       .machine_type = "e2-micro",
                       .image = "projects/ubuntu-os-cloud/global/images/ubuntu-2404",
                       .disk_gb = 10,
                       .disk_type = "pd-standard",
                       .network = "projects/my-project/global/networks/default",
                       .subnetwork = "projects/my-project/regions/us-central1/subnetworks/default",
                       .external = true,
                       .external_ip = "192.0.2.1",
                       .preemptible = true,
                       .spot = true,
                       .service_account = "default",
                       .scopes = {"https://www.googleapis.com/auth/logging.write"},
                       .tags = {"web"},
                       .labels = {{"machine-uid", "u"}},
                       .metadata = {{"user-data", "#cloud-config\n"}}};
  ExpectOperation(api_->CreateInstance(*call_, spec, kRequestId));
  spec.external = spec.spot = spec.preemptible = false;
  ExpectOperation(api_->CreateInstance(*call_, spec, kRequestId));
  ExpectOperation(api_->CreateFirewall(*call_,
                                       {.name = "machine-uid-u",
                                        .network = "projects/my-project/global/networks/default",
                                        .tag = "machine-uid-u",
                                        .ports = {"22/tcp", "53/udp"},
                                        .cidrs = {"0.0.0.0/0"}},
                                       kRequestId));
  ExpectOperation(api_->ReserveAddress(*call_, "us-central1", "machine-uid-u", kRequestId));
  Instance instance;
  instance.name = "dev";
  instance.zone = "us-central1-a";
  instance.labels = {{"machine-uid", "u"}};
  instance.metadata = {{"ssh-keys", "me:key"}};
  instance.tags = {"web"};
  for (const char* const verb : {"start", "stop", "reset", "resume"}) {
    ExpectOperation(api_->Act(*call_, instance, verb, kRequestId));
  }
  ExpectOperation(api_->SetLabels(*call_, instance, kRequestId));
  ExpectOperation(api_->SetMetadata(*call_, instance, kRequestId));
  ExpectOperation(api_->SetTags(*call_, instance, kRequestId));
  ExpectOperation(api_->DeleteInstance(*call_, "us-central1-a", "dev", kRequestId));
  ExpectOperation(api_->DeleteDisk(*call_, "us-central1-a", "dev", kRequestId));
  ExpectOperation(api_->DeleteFirewall(*call_, "machine-uid-u", kRequestId));
  ExpectOperation(api_->DeleteAddress(*call_, "us-central1", "machine-uid-u", kRequestId));
}

TEST_F(PrismE2eTest, RefusesWhatDoesNotFit) {
  Instance nowhere;
  nowhere.name = "dev";
  nowhere.zone = "us-central1-a";
  EXPECT_FALSE(api_->Act(*call_, nowhere, "explode", kRequestId).ok());
}

}  // namespace
}  // namespace machine::driver::gce
