// The driver against a Cloud Director in memory, for its tests.
#ifndef DRIVERS_VMWAREVCLOUDAIR_VCLOUD_FIXTURE_H_
#define DRIVERS_VMWAREVCLOUDAIR_VCLOUD_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "drivers/sdk/test_machine.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "drivers/vmwarevcloudair/vcloud_driver.h"
#include "services/common/status/status.h"
#include "tests/fakes/vcloud/fake_vcloud.h"

namespace machine::driver::vmwarevcloudair {

inline constexpr char kUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
inline constexpr char kPublicIp[] = "203.0.113.5";

inline std::vector<machine::v1::OptionValue> AccountOptions(const fakes::FakeVcloud& fake) {
  return {Option(kHrefFlag, fake.url()), Option(kOrgFlag, fakes::FakeVcloud::kOrg),
          Option(kUsernameFlag, fakes::FakeVcloud::kUser),
          SecretOption(kPasswordFlag, fakes::FakeVcloud::kPassword)};
}

/// What is on the edge gateway that is not somebody else's.
inline std::vector<std::string> OursOn(const fakes::FakeVcloud& fake) {
  std::vector<std::string> ours = fake.Rules();
  const std::vector<std::string> edge = fake.EdgeNames();
  ours.insert(ours.end(), edge.begin(), edge.end());
  std::erase_if(ours, [](const std::string& name) {
    return absl::StartsWith(name, "theirs") || name == "SSH";
  });
  return ours;
}

class VcloudFixture : public testing::Test {
 protected:
  VcloudFixture() : driver_(FastTiming()), theirs_(Theirs()) {
    EXPECT_TRUE(driver_.Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  MachineSpec MachineOf(const std::vector<machine::v1::OptionValue>& values) {
    MachineSpec machine;
    machine.uid = kUid;
    machine.name = "dev";
    machine.ssh_public_key = std::string(kTestKey);
    const auto options = MakeOptions(driver_, values);
    EXPECT_TRUE(options.ok()) << options.status();
    if (options.ok()) machine.options = *options;
    return machine;
  }

  MachineSpec Machine(const std::vector<machine::v1::OptionValue>& more = {}) {
    std::vector<machine::v1::OptionValue> values = AccountOptions(fake_);
    values.insert(values.end(), more.begin(), more.end());
    return MachineOf(values);
  }

  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return MakeCall(kUid, record_, timeout);
  }

  absl::StatusOr<Observation> Create(MachineSpec& machine) {
    absl::StatusOr<Observation> made = driver_.Create(*Call(), machine);
    if (made.ok()) {
      machine.state = made->driver_state().data();
    } else if (!record_.checkpoints.empty()) {
      machine.state = record_.checkpoints.back();
    }
    return made;
  }

  void ExpectState(const absl::StatusOr<Observation>& seen, MachineState state) {
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(seen->state(), state);
  }

  // Of the last request there; empty for none.
  std::string LastBody(absl::string_view method, absl::string_view path) const {
    std::string body;
    for (const fakes::Request& request : fake_.requests()) {
      if (request.method == method && request.path == path) body = request.body;
    }
    return body;
  }

  void ExpectRemoved(const MachineSpec& machine) {
    const absl::Status removed = driver_.Remove(*Call(), machine);
    EXPECT_TRUE(removed.ok()) << removed;
    ExpectNothingLeft();
  }

  void ExpectNothingLeft() {
    EXPECT_THAT(fake_.VappNames(), testing::IsEmpty());
    EXPECT_THAT(OursOn(fake_), testing::IsEmpty());
    EXPECT_EQ(Theirs(), theirs_);
  }

  std::string Refusal(const std::vector<machine::v1::OptionValue>& options) {
    const absl::Status status = driver_.PreCreateCheck(*Call(), Machine(options));
    EXPECT_EQ(common::ReasonOf(status), machine::v1::ERROR_REASON_PRECREATE_CHECK_FAILED) << status;
    return std::string(status.message());
  }

  // To be asked again after somebody else has changed the gateway.
  void RememberTheirs() { theirs_ = Theirs(); }

  CallRecord record_;
  fakes::FakeVcloud fake_;
  VcloudDriver driver_;

 private:
  static Timing FastTiming() {
    const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
    return {.poll = fast, .settling = {.looks = 4, .backoff = fast}, .grace = absl::Seconds(30)};
  }

  // How many things others have on the gateways.
  size_t Theirs() const {
    return fake_.Rules().size() + fake_.EdgeNames().size() - OursOn(fake_).size();
  }

  size_t theirs_;
};

}  // namespace machine::driver::vmwarevcloudair

#endif  // DRIVERS_VMWAREVCLOUDAIR_VCLOUD_FIXTURE_H_
