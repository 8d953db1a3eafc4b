// The driver as the process it is, against Rackspace's cloud in memory.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::driver::rackspace {
namespace {

using fakes::FakeOpenStack;

TEST(RackspaceProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeOpenStack fake(FakeOpenStack::Style::kRackspace);
  conformance::ExpectProgramConforms(
      "rackspace",
      {Option("rackspace-username", "demo"),
       SecretOption("rackspace-api-key", FakeOpenStack::kApiKey), Option("rackspace-region", "DFW"),
       Option("rackspace-endpoint", absl::StrCat(fake.url(), "/v2.0"))},
      Option("rackspace-flavor-id", "general1-2"),
      [&](absl::string_view uid) { fake.DestroyServers(uid); });
  EXPECT_TRUE(fake.ServerNames().empty());
  EXPECT_TRUE(fake.KeyPairNames().empty());
}

}  // namespace
}  // namespace machine::driver::rackspace
