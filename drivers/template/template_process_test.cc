// The driver as the process it is, against the provider's API in memory.
#include <gtest/gtest.h>

#include <string>

#include "drivers/sdk/cloud/names.h"
#include "drivers/sdk/conformance/expect_program.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/template/fake_template.h"

namespace machine::driver::template_cloud {
namespace {

using fakes::FakeTemplate;

TEST(TemplateProcessTest, KeepsTheContractAndLeavesNothingBehind) {
  FakeTemplate fake;
  conformance::ExpectProgramConforms("template",
                                     {SecretOption("template-token", FakeTemplate::kToken),
                                      Option("template-endpoint", fake.url())},
                                     Option("template-size", "large"), [&](absl::string_view uid) {
                                       fake.DestroyInstances(UidTag(uid));
                                     });
  EXPECT_TRUE(fake.InstanceNames().empty());
}

}  // namespace
}  // namespace machine::driver::template_cloud
