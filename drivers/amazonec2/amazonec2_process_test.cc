// The driver as the process it is, against EC2's API in memory.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/amazonec2/fake_amazonec2.h"

namespace machine::driver::amazonec2 {
namespace {

using fakes::FakeAmazonEc2;

TEST(AmazonEc2ProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeAmazonEc2 fake;
  conformance::ExpectProgramConforms(
      "amazonec2",
      {SecretOption("amazonec2-access-key", FakeAmazonEc2::kAccessKey),
       SecretOption("amazonec2-secret-key", FakeAmazonEc2::kSecretKey),
       Option("amazonec2-endpoint", fake.url())},
      Option("amazonec2-instance-type", "t3.micro"),
      [&](absl::string_view uid) { fake.Terminate(uid); });
  EXPECT_TRUE(fake.InstanceIds().empty());
  EXPECT_TRUE(fake.KeyNames().empty());
  EXPECT_TRUE(fake.GroupNames().empty());
}

}  // namespace
}  // namespace machine::driver::amazonec2
