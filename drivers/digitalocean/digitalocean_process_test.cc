// The driver as the process it is, against DigitalOcean's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/digitalocean/fake_digitalocean.h"

namespace machine::driver::digitalocean {
namespace {

using fakes::FakeDigitalOcean;

std::vector<machine::v1::OptionValue> AccountOptions(const FakeDigitalOcean& fake) {
  return {SecretOption("digitalocean-access-token", FakeDigitalOcean::kToken),
          Option("digitalocean-endpoint", fake.url())};
}

TEST(DigitalOceanProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeDigitalOcean fake;
  conformance::ExpectProgramConforms(
      "digitalocean", AccountOptions(fake), Option("digitalocean-size", "s-2vcpu-4gb"),
      [&](absl::string_view uid) { fake.DestroyDroplets(UidTag(uid)); });
  EXPECT_TRUE(fake.DropletNames().empty());
  EXPECT_TRUE(fake.KeyNames().empty());
  for (const std::string& tag : fake.Tags()) EXPECT_FALSE(UidOfTag(tag).has_value()) << tag;
}

}  // namespace
}  // namespace machine::driver::digitalocean
