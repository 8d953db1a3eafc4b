// The driver as the process it is, against the provider's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/softlayer/fake_softlayer.h"

namespace machine::driver::softlayer {
namespace {

using fakes::FakeSoftLayer;

TEST(SoftLayerProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeSoftLayer fake;
  conformance::ExpectProgramConforms(
      "softlayer",
      {Option("softlayer-user", FakeSoftLayer::kUser),
       SecretOption("softlayer-api-key", FakeSoftLayer::kApiKey),
       Option("softlayer-domain", "example.com"),
       Option("softlayer-api-endpoint", fake.endpoint())},
      Option("softlayer-memory", int64_t{2048}),
      [&](absl::string_view uid) { fake.DestroyGuests(UidTag(uid)); });
  EXPECT_TRUE(fake.GuestNames().empty());
  EXPECT_TRUE(fake.KeyLabels().empty());
}

}  // namespace
}  // namespace machine::driver::softlayer
