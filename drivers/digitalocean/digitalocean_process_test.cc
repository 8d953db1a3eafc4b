// The driver as the process it is, against DigitalOcean's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/digitalocean/fake_digitalocean.h"

namespace machine::driver::digitalocean {
namespace {

using conformance::DriverProcess;
using fakes::FakeDigitalOcean;

std::vector<machine::v1::OptionValue> AccountOptions(const FakeDigitalOcean& fake) {
  return {SecretOption("digitalocean-access-token", FakeDigitalOcean::kToken),
          Option("digitalocean-endpoint", fake.url())};
}

TEST(DigitalOceanProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeDigitalOcean fake;
  const auto driver = DriverProcess::Start("drivers/digitalocean/machine-driver-digitalocean");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "digitalocean");
  conformance::Options options;
  options.options = AccountOptions(fake);
  options.different_options = options.options;
  options.different_options.push_back(Option("digitalocean-size", "s-2vcpu-4gb"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyDroplets(UidTag(uid));
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.DropletNames().empty());
  EXPECT_TRUE(fake.KeyNames().empty());
  for (const std::string& tag : fake.Tags()) EXPECT_FALSE(UidOfTag(tag).has_value()) << tag;
}

}  // namespace
}  // namespace machine::driver::digitalocean
