// A driver against Compute Engine in memory, for the tests of this folder.
#ifndef DRIVERS_GOOGLE_TEST_GOOGLE_H_
#define DRIVERS_GOOGLE_TEST_GOOGLE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "drivers/google/google_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/google/fake_google.h"

namespace machine::driver::gce {

inline constexpr char kTestUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

inline Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

class GoogleTest : public testing::Test {
 protected:
  // Neither the files nor the metadata server of the test's own host count.
  GoogleTest() : driver_(FastTiming(), Surroundings()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(const std::vector<machine::v1::OptionValue>& more = {},
                      absl::string_view uid = kTestUid) {
    std::vector<machine::v1::OptionValue> values = {
        Option(kProjectFlag, fakes::FakeGoogle::kProject),
        SecretOption(kTokenFlag, fakes::FakeGoogle::kToken),
        Option("google-endpoint", fake_.endpoint())};
    for (const machine::v1::OptionValue& value : more) {
      std::erase_if(values, [&](const auto& other) { return other.name() == value.name(); });
      values.push_back(value);
    }
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = "dev.One";
    machine.ssh_public_key = std::string(kTestKey);
    const absl::StatusOr<Options> options = MakeOptions(driver_, values);
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
    EXPECT_THAT(fake_.InstanceNames(), testing::IsEmpty());
    EXPECT_THAT(fake_.DiskNames(), testing::IsEmpty());
    EXPECT_THAT(fake_.FirewallNames(), testing::IsEmpty());
    EXPECT_THAT(fake_.AddressNames(), testing::IsEmpty());
  }

  fakes::FakeGoogle fake_;
  CallRecord record_;
  GoogleDriver driver_;
};

}  // namespace machine::driver::gce

#endif  // DRIVERS_GOOGLE_TEST_GOOGLE_H_
