// The driver against a real cloud: that of the OS_* variables, where MACHINE_OPENSTACK_E2E is set,
// because servers may cost something. Further options of the create are in
// MACHINE_OPENSTACK_OPTIONS: "openstack-image-name=cirros openstack-ssh-user=cirros".
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "drivers/openstack/openstack_driver.h"
#include "drivers/sdk/test_machine.h"
#include "services/common/crypto/random.h"

namespace machine::driver::openstack {
namespace {

// A value for each flag that has no number or list, from the environment as the client reads it.
std::vector<machine::v1::OptionValue> OptionsOfEnvironment(const Flags& flags) {
  std::vector<machine::v1::OptionValue> values;
  for (const machine::v1::FlagSpec& spec : flags.specs()) {
    if (spec.type() != machine::v1::FlagSpec::STRING || !spec.content_option().empty()) continue;
    for (const std::string& name : spec.env_vars()) {
      const char* const value = std::getenv(name.c_str());
      if (value == nullptr || *value == '\0') continue;
      values.push_back(spec.secret() ? SecretOption(spec.name(), value)
                                     : Option(spec.name(), value));
      break;
    }
  }
  const char* const more = std::getenv("MACHINE_OPENSTACK_OPTIONS");
  for (const absl::string_view pair :
       absl::StrSplit(more == nullptr ? "" : more, ' ', absl::SkipWhitespace())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    values.push_back(Option(parts.first, parts.second));
  }
  return values;
}

TEST(OpenStackCloudE2eTest, LivesAndLeavesNothingBehind) {
  if (std::getenv("MACHINE_OPENSTACK_E2E") == nullptr) {
    GTEST_SKIP() << "MACHINE_OPENSTACK_E2E is not set: no cloud to try";
  }
  OpenStackDriver driver;
  ASSERT_TRUE(driver.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  MachineSpec machine;
  machine.uid = common::NewUuid();
  machine.name = "e2e";
  machine.ssh_public_key = std::string(kTestKey);
  const auto options = MakeOptions(driver, OptionsOfEnvironment(driver.flags()));
  ASSERT_TRUE(options.ok()) << options.status();
  machine.options = *options;
  CallRecord record;
  const auto call = [&] { return MakeCall(machine.uid, record, absl::Minutes(20)); };
  const absl::Status checked = driver.PreCreateCheck(*call(), machine);
  ASSERT_TRUE(checked.ok()) << checked;
  const auto made = driver.Create(*call(), machine);
  EXPECT_TRUE(made.ok()) << made.status();
  if (!record.checkpoints.empty()) machine.state = record.checkpoints.back();
  if (made.ok()) {
    EXPECT_FALSE(made->endpoint().ssh_host().empty());
    for (const auto& seen :
         {driver.Create(*call(), machine), driver.Restart(*call(), machine),
          driver.Stop(*call(), machine, std::nullopt), driver.Start(*call(), machine)}) {
      EXPECT_TRUE(seen.ok()) << seen.status();
    }
    const auto batch = driver.BatchInspect(*call(), {machine});
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_EQ(batch->front().state(), machine::v1::MACHINE_STATE_RUNNING);
    const auto listed = driver.ListInstances(*call(), kTestOrchestrator, machine.options);
    EXPECT_TRUE(listed.ok()) << listed.status();
  }
  const absl::Status removed = driver.Remove(*call(), machine);
  EXPECT_TRUE(removed.ok()) << removed;
  const auto gone = driver.Inspect(*call(), machine);
  ASSERT_TRUE(gone.ok()) << gone.status();
  EXPECT_EQ(gone->state(), machine::v1::MACHINE_STATE_NOT_FOUND);
}

}  // namespace
}  // namespace machine::driver::openstack
