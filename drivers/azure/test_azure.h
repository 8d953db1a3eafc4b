// A driver against Resource Manager in memory, for the tests of this folder.
#ifndef DRIVERS_AZURE_TEST_AZURE_H_
#define DRIVERS_AZURE_TEST_AZURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/azure/azure_driver.h"
#include "drivers/azure/settings.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/azure/fake_azure.h"

namespace machine::driver::azure {

inline constexpr char kTestUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

inline Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class AzureTest : public testing::Test {
 protected:
  // Neither the metadata service nor the CLI of the test's own host count.
  AzureTest() : driver_(FastTiming(), Surroundings()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  // Of given options, or why they are refused.
  absl::StatusOr<Options> OptionsOf(const std::vector<machine::v1::OptionValue>& more = {}) {
    std::vector<machine::v1::OptionValue> values = {
        Option(kSubscriptionFlag, fakes::FakeAzure::kSubscription),
        SecretOption(kTokenFlag, fakes::FakeAzure::kToken), Option(kEndpointFlag, fake_.url())};
    for (const machine::v1::OptionValue& value : more) {
      std::erase_if(values, [&](const auto& other) { return other.name() == value.name(); });
      values.push_back(value);
    }
    return MakeOptions(driver_, values);
  }

  MachineSpec Machine(const std::vector<machine::v1::OptionValue>& more = {},
                      absl::string_view uid = kTestUid) {
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = "dev.One";
    machine.ssh_public_key = std::string(kTestKey);
    const absl::StatusOr<Options> options = OptionsOf(more);
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return MakeCall(kTestUid, record_, timeout);
  }

  // Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  MachineState Inspect(const MachineSpec& machine) {
    const auto seen = driver_.Inspect(*Call(), machine);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  void ExpectNothingLeft() {
    EXPECT_THAT(fake_.GroupNames(), testing::IsEmpty());
    EXPECT_THAT(fake_.ResourceNames(), testing::IsEmpty());
  }

  fakes::FakeAzure fake_;
  CallRecord record_;
  AzureDriver driver_;
};

}  // namespace machine::driver::azure

#endif  // DRIVERS_AZURE_TEST_AZURE_H_
