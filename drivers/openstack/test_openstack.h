// An OpenStack driver and the cloud in memory that it speaks to, for its tests.
#ifndef DRIVERS_OPENSTACK_TEST_OPENSTACK_H_
#define DRIVERS_OPENSTACK_TEST_OPENSTACK_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/openstack/flag_names.h"
#include "drivers/openstack/openstack_driver.h"
#include "drivers/sdk/conformance/cloud_under_test.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::driver::openstack {

inline constexpr char kCreate[] = "POST /compute/v2.1/servers";
inline constexpr char kList[] = "GET /compute/v2.1/servers/detail";
inline constexpr char kAct[] = "POST /compute/v2.1/servers/{id}/action";
inline constexpr char kSignIn[] = "POST /identity/v3/auth/tokens";

/// Options of the fake's user "demo" in its project "demo".
inline std::vector<machine::v1::OptionValue> DemoOptions(const fakes::FakeOpenStack& fake) {
  return {Option(kAuthUrlFlag, absl::StrCat(fake.url(), "/identity")),
          Option(kUsernameFlag, "demo"),
          SecretOption(kPasswordFlag, fakes::FakeOpenStack::kPassword),
          Option(kTenantNameFlag, "demo")};
}

class OpenStackCloud : public CloudOf<fakes::FakeOpenStack, OpenStackDriver> {
 public:
  OpenStackCloud()
      : CloudOf(std::make_unique<fakes::FakeOpenStack>(),
                std::make_unique<OpenStackDriver>(FastTiming<Timing>())) {}

  CloudFacts Facts() const override;
  std::vector<machine::v1::OptionValue> Account() override { return DemoOptions(*fake); }
  std::vector<machine::v1::OptionValue> PartsToFail() override {
    return {BoolOption("openstack-boot-from-volume", true),
            Option("openstack-floatingip-pool", "public")};
  }

  std::vector<std::string> Instances() override { return fake->ServerNames(); }
  void ExpectNothingLeft() override;
  void ExpectMade(const Observation& made) override {
    EXPECT_EQ(made.endpoint().ip_addresses(0).substr(0, 9), "172.24.4.");
  }
  // The descriptions are part of the fake.
  bool Checked() override { return true; }

  void HoldShutdown(bool hold) override { fake->IgnoreStop(hold); }
  void ReachLimit() override { fake->SetServerLimit(0); }
  void AddInstances(int count) override {
    fake->AddServers(count);
    fake->SetPageSize(200);
  }
  MachineState StateOf(absl::string_view status, absl::string_view task) override;
};

using OpenStackTest = CloudFixture<OpenStackCloud>;

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_TEST_OPENSTACK_H_
