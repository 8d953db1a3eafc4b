// The driver as the process it is, against an OpenStack cloud in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/openstack/test_openstack.h"
#include "drivers/sdk/conformance/expect_program.h"

namespace machine::driver::openstack {
namespace {

using fakes::FakeOpenStack;

TEST(OpenStackProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeOpenStack fake;
  std::vector<machine::v1::OptionValue> options = DemoOptions(fake);
  options.push_back(Option("openstack-floatingip-pool", "public"));
  conformance::ExpectProgramConforms("openstack", options,
                                     Option("openstack-flavor-name", "m1.small"),
                                     [&](absl::string_view uid) { fake.DestroyServers(uid); });
  EXPECT_TRUE(fake.ServerNames().empty());
  EXPECT_TRUE(fake.KeyPairNames().empty());
  EXPECT_TRUE(fake.PortNames().empty());
  EXPECT_TRUE(fake.GroupNames().empty());
  EXPECT_TRUE(fake.FloatingIps().empty());
  EXPECT_EQ(fake.CountOf("POST /identity/v3/auth/tokens"), 1);
}

}  // namespace
}  // namespace machine::driver::openstack
