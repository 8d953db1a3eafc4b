// The driver as the process it is, against the provider's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/driver_process.h"
#include "drivers/sdk/conformance/expect_conformance.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/template/fake_template.h"

namespace machine::driver::template_cloud {
namespace {

using conformance::DriverProcess;
using fakes::FakeTemplate;

TEST(TemplateProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeTemplate fake;
  const auto driver = DriverProcess::Start("drivers/template/machine-driver-template");
  ASSERT_TRUE(driver.ok()) << driver.status();
  EXPECT_EQ((*driver)->result().name(), "template");
  conformance::Options options;
  options.options = {SecretOption("template-token", FakeTemplate::kToken),
                     Option("template-endpoint", fake.url())};
  options.different_options = options.options;
  options.different_options.push_back(Option("template-size", "large"));
  options.vanish = [&fake](absl::string_view uid) {
    fake.DestroyInstances(UidTag(uid));
    return absl::OkStatus();
  };
  options.log = [&] { return (*driver)->Log(); };
  conformance::ExpectConformance((*driver)->Channel(), options);
  EXPECT_TRUE(fake.InstanceNames().empty());
}

}  // namespace
}  // namespace machine::driver::template_cloud
