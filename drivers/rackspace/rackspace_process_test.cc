// The driver as the process it is, against Rackspace's cloud in memory.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::driver::rackspace {
namespace {

using conformance::DriverProcess;
using fakes::FakeOpenStack;

TEST(RackspaceProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeOpenStack fake(FakeOpenStack::Style::kRackspace);
  const auto driver = DriverProcess::Start("drivers/rackspace/machine-driver-rackspace");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "rackspace");
  conformance::Options options;
  options.options = {Option("rackspace-username", "demo"),
                     SecretOption("rackspace-api-key", FakeOpenStack::kApiKey),
                     Option("rackspace-region", "DFW"),
                     Option("rackspace-endpoint", absl::StrCat(fake.url(), "/v2.0"))};
  options.different_options = options.options;
  options.different_options.push_back(Option("rackspace-flavor-id", "general1-2"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyServers(uid);
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.ServerNames().empty());
  EXPECT_TRUE(fake.KeyPairNames().empty());
}

}  // namespace
}  // namespace machine::driver::rackspace
