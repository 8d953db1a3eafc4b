// An OpenStack driver and the cloud in memory that it speaks to, for its tests.
#ifndef DRIVERS_OPENSTACK_TEST_OPENSTACK_H_
#define DRIVERS_OPENSTACK_TEST_OPENSTACK_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/openstack/flag_names.h"
#include "drivers/openstack/openstack_driver.h"
#include "drivers/sdk/test_machine.h"
#include "tests/fakes/openstack/fake_openstack.h"

namespace machine::driver::openstack {

inline constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

inline Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

/// Options of the fake's user "demo" in its project "demo".
inline std::vector<machine::v1::OptionValue> DemoOptions(const fakes::FakeOpenStack& fake) {
  return {Option(kAuthUrlFlag, absl::StrCat(fake.url(), "/identity")),
          Option(kUsernameFlag, "demo"),
          SecretOption(kPasswordFlag, fakes::FakeOpenStack::kPassword),
          Option(kTenantNameFlag, "demo")};
}

class OpenStackTest : public testing::Test {
 protected:
  OpenStackTest() : driver_(FastTiming()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec Machine(std::vector<machine::v1::OptionValue> more = {},
                      absl::string_view uid = kUid) {
    std::vector<machine::v1::OptionValue> values = DemoOptions(fake_);
    values.insert(values.end(), more.begin(), more.end());
    return MachineOf(values, uid);
  }

  MachineSpec MachineOf(const std::vector<machine::v1::OptionValue>& values,
                        absl::string_view uid = kUid) {
    MachineSpec machine;
    machine.uid = std::string(uid);
    machine.name = "dev.One";
    machine.ssh_public_key = std::string(kTestKey);
    const absl::StatusOr<Options> options = MakeOptions(driver_, values);
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  std::unique_ptr<DriverCall> Call() { return MakeCall(kUid, record_); }

  // Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (!record_.checkpoints.empty()) machine.state = record_.checkpoints.back();
    return made;
  }

  absl::Status PreCreateCheck(const std::vector<machine::v1::OptionValue>& more) {
    return driver_.PreCreateCheck(*Call(), Machine(more));
  }

  MachineState Inspect(const MachineSpec& machine) {
    const auto seen = driver_.Inspect(*Call(), machine);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.ok() ? seen->state() : machine::v1::MACHINE_STATE_ERROR;
  }

  void ExpectNothingLeft() {
    using testing::IsEmpty;
    EXPECT_THAT(fake_.ServerNames(), IsEmpty());
    EXPECT_THAT(fake_.KeyPairNames(), IsEmpty());
    EXPECT_THAT(fake_.PortNames(), IsEmpty());
    EXPECT_THAT(fake_.GroupNames(), IsEmpty());
    EXPECT_THAT(fake_.FloatingIps(), IsEmpty());
    EXPECT_THAT(fake_.VolumeNames(), IsEmpty());
  }

  fakes::FakeOpenStack fake_;
  CallRecord record_;
  OpenStackDriver driver_;
};

}  // namespace machine::driver::openstack

#endif  // DRIVERS_OPENSTACK_TEST_OPENSTACK_H_
