// The driver as the process it is, against the provider's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/exoscale/fake_exoscale.h"

namespace machine::driver::exoscale {
namespace {

using conformance::DriverProcess;
using fakes::FakeExoscale;

TEST(ExoscaleProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeExoscale fake;
  const auto driver = DriverProcess::Start("drivers/exoscale/machine-driver-exoscale");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "exoscale");
  conformance::Options options;
  options.options = {SecretOption("exoscale-api-key", FakeExoscale::kKey),
                     SecretOption("exoscale-api-secret-key", FakeExoscale::kSecret),
                     Option("exoscale-url", fake.url())};
  options.different_options = options.options;
  options.different_options.push_back(Option("exoscale-instance-profile", "medium"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyInstances(uid);
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.InstanceNames().empty());
  EXPECT_TRUE(fake.KeyNames().empty());
  EXPECT_TRUE(fake.SecurityGroupNames().empty());
}

}  // namespace
}  // namespace machine::driver::exoscale
