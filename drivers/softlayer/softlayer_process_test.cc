// The driver as the process it is, against the provider's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/softlayer/fake_softlayer.h"

namespace machine::driver::softlayer {
namespace {

using conformance::DriverProcess;
using fakes::FakeSoftLayer;

TEST(SoftLayerProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeSoftLayer fake;
  const auto driver = DriverProcess::Start("drivers/softlayer/machine-driver-softlayer");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "softlayer");
  conformance::Options options;
  options.options = {Option("softlayer-user", FakeSoftLayer::kUser),
                     SecretOption("softlayer-api-key", FakeSoftLayer::kApiKey),
                     Option("softlayer-domain", "example.com"),
                     Option("softlayer-api-endpoint", fake.endpoint())};
  options.different_options = options.options;
  options.different_options.push_back(Option("softlayer-memory", int64_t{2048}));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyGuests(UidTag(uid));
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.GuestNames().empty());
  EXPECT_TRUE(fake.KeyLabels().empty());
}

}  // namespace
}  // namespace machine::driver::softlayer
