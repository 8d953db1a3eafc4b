// The driver as the process it is, against Resource Manager in memory.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/azure/fake_azure.h"

namespace machine::driver::azure {
namespace {

using conformance::DriverProcess;
using fakes::FakeAzure;

TEST(AzureProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeAzure fake;
  const auto driver = DriverProcess::Start("drivers/azure/machine-driver-azure");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "azure");
  conformance::Options options;
  options.options = {Option("azure-subscription-id", FakeAzure::kSubscription),
                     SecretOption("azure-access-token", FakeAzure::kToken),
                     Option("azure-endpoint", fake.url())};
  options.different_options = options.options;
  options.different_options.push_back(Option("azure-size", "Standard_B2s"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyMachines(uid);
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.ResourceNames().empty());
  EXPECT_TRUE(fake.GroupNames().empty());
}

}  // namespace
}  // namespace machine::driver::azure
