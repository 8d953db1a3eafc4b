// The driver as the process it is, against EC2's API in memory.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::driver::amazonec2 {
namespace {

using conformance::DriverProcess;
using fakes::FakeAmazonEc2;

TEST(AmazonEc2ProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeAmazonEc2 fake;
  const auto driver = DriverProcess::Start("drivers/amazonec2/machine-driver-amazonec2");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "amazonec2");
  conformance::Options options;
  options.options = {SecretOption("amazonec2-access-key", FakeAmazonEc2::kAccessKey),
                     SecretOption("amazonec2-secret-key", FakeAmazonEc2::kSecretKey),
                     Option("amazonec2-endpoint", fake.url())};
  options.different_options = options.options;
  options.different_options.push_back(Option("amazonec2-instance-type", "t3.micro"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.Terminate(uid);
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.InstanceIds().empty());
  EXPECT_TRUE(fake.KeyNames().empty());
  EXPECT_TRUE(fake.GroupNames().empty());
}

}  // namespace
}  // namespace machine::driver::amazonec2
