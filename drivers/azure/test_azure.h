// A driver against Resource Manager in memory, for the tests of this folder.
#ifndef DRIVERS_AZURE_TEST_AZURE_H_
#define DRIVERS_AZURE_TEST_AZURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/azure/azure_driver.h"
#include "drivers/azure/settings.h"
#include "drivers/sdk/conformance/cloud_under_test.h"
#include "tests/fakes/azure/fake_azure.h"

namespace machine::driver::azure {

/// As FakeServer names routes: of virtual machines, groups, operations, and the list of all.
inline constexpr char kVm[] =
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/"
    "Microsoft.Compute/virtualMachines/{name}";
inline constexpr char kGroup[] = "/subscriptions/{subscription}/resourcegroups/{group}";
inline constexpr char kOperation[] = "/subscriptions/{subscription}/operations/{operation}";
inline constexpr char kList[] =
    "GET /subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines";

inline std::string Route(absl::string_view method, absl::string_view path) {
  return absl::StrCat(method, " ", path);
}

class AzureCloud : public CloudOf<fakes::FakeAzure, AzureDriver> {
 public:
  // Neither the metadata service nor the CLI of the test's own host count.
  AzureCloud()
      : CloudOf(std::make_unique<fakes::FakeAzure>(),
                std::make_unique<AzureDriver>(FastTiming<Timing>(), Surroundings())) {}

  CloudFacts Facts() const override;
  std::vector<machine::v1::OptionValue> Account() override {
    return {Option(kSubscriptionFlag, fakes::FakeAzure::kSubscription),
            SecretOption(kTokenFlag, fakes::FakeAzure::kToken), Option(kEndpointFlag, fake->url())};
  }

  std::vector<std::string> Instances() override { return fake->MachineNames(); }
  void ExpectNothingLeft() override;
  void ExpectMade(const Observation&) override { EXPECT_EQ(fake->ResourceNames().size(), 6u); }
  bool Checked() override { return fake->checked(); }

  // Slower than anybody waits.
  void HoldShutdown(bool hold) override { fake->SetPace(hold ? 1'000'000 : 1); }
  void ReachLimit() override {
    fake->FailNextMachine("AllocationFailed", "We do not have sufficient capacity.");
  }
  void AddInstances(int count) override;
  void BeOfBatch(int number, MachineSpec& machine) override;
  void ExpectInBatch(const Observation& seen) override {
    EXPECT_EQ(seen.endpoint().ssh_host(), "192.168.0.4");
  }
  MachineState StateOf(absl::string_view power, absl::string_view provisioning) override;
};

using AzureTest = CloudFixture<AzureCloud>;

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_TEST_AZURE_H_
