// The driver as the process it is, against Compute Engine's API in memory.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/google/fake_google.h"
#include "tests/fakes/google/fake_google_auth.h"

namespace machine::driver::gce {
namespace {

using conformance::DriverProcess;
using fakes::FakeGoogle;
using fakes::FakeGoogleAuth;

TEST(GoogleProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeGoogle fake;
  FakeGoogleAuth auth;
  fake.SetToken("ya29.fake-1");
  const auto driver = DriverProcess::Start("drivers/google/machine-driver-google");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "google");
  conformance::Options options;
  options.options = {Option("google-project", FakeGoogle::kProject),
                     SecretOption("google-application-credentials-text", auth.ServiceAccountFile()),
                     Option("google-endpoint", fake.endpoint())};
  options.different_options = options.options;
  options.different_options.push_back(Option("google-machine-type", "e2-small"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyInstances(uid);
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.InstanceNames().empty());
  EXPECT_TRUE(fake.DiskNames().empty());
  EXPECT_TRUE(fake.FirewallNames().empty());
  EXPECT_TRUE(fake.AddressNames().empty());
  EXPECT_EQ(auth.CountOf("POST /token"), 1);
}

}  // namespace
}  // namespace machine::driver::gce
