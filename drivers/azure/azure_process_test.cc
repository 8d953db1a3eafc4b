// The driver as the process it is, against Resource Manager in memory.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/azure/fake_azure.h"

namespace machine::driver::azure {
namespace {

using fakes::FakeAzure;

TEST(AzureProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeAzure fake;
  conformance::ExpectProgramConforms(
      "azure",
      {Option("azure-subscription-id", FakeAzure::kSubscription),
       SecretOption("azure-access-token", FakeAzure::kToken), Option("azure-endpoint", fake.url())},
      Option("azure-size", "Standard_B2s"),
      [&](absl::string_view uid) { fake.DestroyMachines(uid); });
  EXPECT_TRUE(fake.ResourceNames().empty());
  EXPECT_TRUE(fake.GroupNames().empty());
}

}  // namespace
}  // namespace machine::driver::azure
