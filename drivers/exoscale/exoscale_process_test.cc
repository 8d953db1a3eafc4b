// The driver as the process it is, against the provider's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/exoscale/fake_exoscale.h"

namespace machine::driver::exoscale {
namespace {

using fakes::FakeExoscale;

TEST(ExoscaleProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeExoscale fake;
  conformance::ExpectProgramConforms(
      "exoscale",
      {SecretOption("exoscale-api-key", FakeExoscale::kKey),
       SecretOption("exoscale-api-secret-key", FakeExoscale::kSecret),
       Option("exoscale-url", fake.url())},
      Option("exoscale-instance-profile", "medium"),
      [&](absl::string_view uid) { fake.DestroyInstances(uid); });
  EXPECT_TRUE(fake.InstanceNames().empty());
  EXPECT_TRUE(fake.KeyNames().empty());
  EXPECT_TRUE(fake.SecurityGroupNames().empty());
}

}  // namespace
}  // namespace machine::driver::exoscale
