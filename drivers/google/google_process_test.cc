// The driver as the process it is, against Compute Engine's API in memory.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/google/fake_google.h"
#include "tests/fakes/google/fake_google_auth.h"

namespace machine::driver::gce {
namespace {

using fakes::FakeGoogle;
using fakes::FakeGoogleAuth;

TEST(GoogleProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeGoogle fake;
  FakeGoogleAuth auth;
  fake.SetToken("ya29.fake-1");
  conformance::ExpectProgramConforms(
      "google",
      {Option("google-project", FakeGoogle::kProject),
       SecretOption("google-application-credentials-text", auth.ServiceAccountFile()),
       Option("google-endpoint", fake.endpoint())},
      Option("google-machine-type", "e2-small"),
      [&](absl::string_view uid) { fake.DestroyInstances(uid); });
  EXPECT_TRUE(fake.InstanceNames().empty());
  EXPECT_TRUE(fake.DiskNames().empty());
  EXPECT_TRUE(fake.FirewallNames().empty());
  EXPECT_TRUE(fake.AddressNames().empty());
  EXPECT_EQ(auth.CountOf("POST /token"), 1);
}

}  // namespace
}  // namespace machine::driver::gce
