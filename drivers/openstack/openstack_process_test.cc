// The driver as the process it is, against an OpenStack cloud in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/openstack/test_openstack.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"

namespace machine::driver::openstack {
namespace {

using conformance::DriverProcess;
using fakes::FakeOpenStack;

TEST(OpenStackProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeOpenStack fake;
  const auto driver = DriverProcess::Start("drivers/openstack/machine-driver-openstack");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "openstack");
  conformance::Options options;
  options.options = DemoOptions(fake);
  options.options.push_back(Option("openstack-floatingip-pool", "public"));
  options.different_options = options.options;
  options.different_options.push_back(Option("openstack-flavor-name", "m1.small"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyServers(uid);
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.ServerNames().empty());
  EXPECT_TRUE(fake.KeyPairNames().empty());
  EXPECT_TRUE(fake.PortNames().empty());
  EXPECT_TRUE(fake.GroupNames().empty());
  EXPECT_TRUE(fake.FloatingIps().empty());
  EXPECT_EQ(fake.CountOf("POST /identity/v3/auth/tokens"), 1);
}

}  // namespace
}  // namespace machine::driver::openstack
