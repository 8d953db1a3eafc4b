// A cloud driver and its provider in memory, as the shared tests of cloud drivers want them.
#ifndef DRIVERS_SDK_CONFORMANCE_CLOUD_UNDER_TEST_H_
#define DRIVERS_SDK_CONFORMANCE_CLOUD_UNDER_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/driver.h"
#include "drivers/sdk/test_machine.h"
#include "machine/v1/drivers.pb.h"
#include "tests/fakes/http/fake_server.h"

namespace machine::driver {

/// UUID of the machine that most tests are about.
inline constexpr char kTestUid[] = "0f8fad5b-d9cb-469f-a165-70867728950e";

/// A driver's timing for tests: pauses of a millisecond or two. `Timing` is the driver's own.
template <typename Timing>
Timing FastTiming() {
  const Backoff fast = {absl::Milliseconds(1), absl::Milliseconds(2)};
  return {.poll = fast,
          .retry = fast,
          .settling = {.looks = 6, .backoff = fast},
          .grace = absl::Seconds(30)};
}

/// `values` with `more` in the place of those of the same name, or behind them.
std::vector<machine::v1::OptionValue> WithOptions(
    std::vector<machine::v1::OptionValue> values,
    const std::vector<machine::v1::OptionValue>& more);

/// What the suite must know of a provider beside how to reach it. Routes are named as by
/// FakeServer::Route(): "POST /v2/droplets".
struct CloudFacts {
  /// What makes an instance.
  std::string create;
  /// What stops and starts one, and how many requests of that route pass before the one that does.
  std::string stop;
  std::string start;
  int before_power = 0;
  /// Whether a restart of a machine that runs goes by `start` and outlives a lost answer, too.
  bool restart_meets_faults = false;
  /// What a machine is while its guest does not obey, and what the error of Stop advises.
  MachineState while_stopping = machine::v1::MACHINE_STATE_RUNNING;
  std::string stop_advice = "; kill it if it must be";
  /// Kill is no other than Stop there: the guest is asked.
  bool kill_asks_the_guest = false;
  /// A secret that is wrong, and what the refusal must say: the flag, as "--hetzner-token".
  machine::v1::OptionValue wrong_credentials;
  std::vector<std::string> refusal;
  /// Reads of PreCreateCheck; each that fails with 503 five times ends it.
  std::vector<std::string> check_reads;
  struct Batch {
    int machines = 250;
    /// Of BatchInspect for so many machines and one that is missing.
    int requests = 0;
    /// Of those, how many are of route `list`; not asked for "".
    std::string list = "";
    int lists = 0;
    /// Does not count what the driver's very first call asks beside.
    bool signs_in = false;
  };
  Batch batch;
  /// How a create is killed: during the request of `route` after `after` others, when a just-made
  /// instance stays unseen for `lag` reads.
  struct Killed {
    std::string route;
    int after = 0;
    int lag = 3;
    /// The answer to the create is lost as well.
    bool reply_lost = false;
    /// Of the states that were reported only the first was stored.
    bool first_checkpoint = false;
  };
  Killed killed;
  /// Creates in all when one was killed and tried again; 0 where the provider itself sees to it
  /// that a second one makes nothing.
  int creates_after_kill = 1;
  /// The provider takes neither an idempotency key nor a name: an instance may be made twice.
  bool may_make_twice = false;
  /// More requests than this are checked in the life of one machine.
  int requests_of_a_life = 0;
};

/// One provider in memory, empty at first, and the driver against it.
class CloudUnderTest {
 public:
  virtual ~CloudUnderTest() = default;

  virtual Driver& driver() = 0;
  virtual fakes::FakeServer& server() = 0;
  virtual CloudFacts Facts() const = 0;
  /// The options without which nothing works: credentials, endpoint.
  virtual std::vector<machine::v1::OptionValue> Account() = 0;
  /// More options, so that a machine has all kinds of parts whose making may fail.
  virtual std::vector<machine::v1::OptionValue> PartsToFail() { return {}; }

  /// The instances, however they are named.
  virtual std::vector<std::string> Instances() = 0;
  /// Nothing of the tests' machines, their keys, rules, disks, tags, is left.
  virtual void ExpectNothingLeft() = 0;
  /// What else is to be found after a create with PartsToFail(), however it went.
  virtual void ExpectMade(const Observation&) {}
  /// Whether requests are checked against the provider's own description.
  virtual bool Checked() = 0;

  /// A just-made instance is unknown in its first `reads` reads.
  virtual void SetLag(int reads) = 0;
  /// Guests do not shut down when asked.
  virtual void HoldShutdown(bool hold) = 0;
  /// The account may have no more.
  virtual void ReachLimit() = 0;
  /// `count` running instances, of the machines BeOfBatch(0), … and of no orchestrator here.
  virtual void AddInstances(int count) = 0;
  /// Makes `machine` number `number` of those: by default, its uid is the number.
  virtual void BeOfBatch(int number, MachineSpec& machine);
  /// What else a batch tells of each.
  virtual void ExpectInBatch(const Observation&) {}
  /// The driver's word for an instance that the provider says is in `word`, and busy with `detail`.
  virtual MachineState StateOf(absl::string_view word, absl::string_view detail) = 0;

  /// A machine with Account() and `more`.
  MachineSpec Machine(const std::vector<machine::v1::OptionValue>& more = {},
                      absl::string_view uid = kTestUid);
  /// One with `values` alone.
  MachineSpec MachineOf(const std::vector<machine::v1::OptionValue>& values,
                        absl::string_view uid = kTestUid);
  /// Account() and `more` as completed and checked, or why they are refused.
  absl::StatusOr<Options> OptionsOf(const std::vector<machine::v1::OptionValue>& more = {});
  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return MakeCall(kTestUid, record, timeout);
  }
  /// Creates, and remembers the state in `machine`.
  absl::StatusOr<Observation> Create(MachineSpec& machine);
  /// Creates as the orchestrator does: errors that may pass are tried again, three times.
  absl::StatusOr<Observation> CreatePatiently(MachineSpec& machine);
  absl::Status PreCreateCheck(const std::vector<machine::v1::OptionValue>& more);
  MachineState Inspect(const MachineSpec& machine);

  /// What all calls told.
  CallRecord record;
};

/// The part of a CloudUnderTest that is the same for all: `FakeT` and `DriverT` as they are.
template <typename FakeT, typename DriverT>
class CloudOf : public CloudUnderTest {
 public:
  using Fake = FakeT;
  using DriverType = DriverT;

  CloudOf(std::unique_ptr<FakeT> fake_server, std::unique_ptr<DriverT> cloud_driver)
      : fake(std::move(fake_server)), cloud(std::move(cloud_driver)) {
    EXPECT_TRUE(cloud->Init({.log = common::Logger(common::Severity::kError, "test")}).ok());
  }

  Driver& driver() override { return *cloud; }
  fakes::FakeServer& server() override { return *fake; }
  void SetLag(int reads) override { fake->SetLag(reads); }

  const std::unique_ptr<FakeT> fake;
  const std::unique_ptr<DriverT> cloud;
};

/// For what is a driver's own: its fake and driver by their own types.
template <typename Cloud>
class CloudFixture : public testing::Test {
 protected:
  MachineSpec Machine(const std::vector<machine::v1::OptionValue>& more = {},
                      absl::string_view uid = kTestUid) {
    return cloud_.Machine(more, uid);
  }
  MachineSpec MachineOf(const std::vector<machine::v1::OptionValue>& values) {
    return cloud_.MachineOf(values);
  }
  absl::StatusOr<Options> OptionsOf(const std::vector<machine::v1::OptionValue>& more = {}) {
    return cloud_.OptionsOf(more);
  }
  std::unique_ptr<DriverCall> Call(absl::Duration timeout = absl::Minutes(2)) {
    return cloud_.Call(timeout);
  }
  absl::StatusOr<Observation> Create(MachineSpec& machine) { return cloud_.Create(machine); }
  absl::Status PreCreateCheck(const std::vector<machine::v1::OptionValue>& more) {
    return cloud_.PreCreateCheck(more);
  }
  MachineState Inspect(const MachineSpec& machine) { return cloud_.Inspect(machine); }
  void ExpectNothingLeft() { cloud_.ExpectNothingLeft(); }

  Cloud cloud_;
  typename Cloud::Fake& fake_ = *cloud_.fake;
  typename Cloud::DriverType& driver_ = *cloud_.cloud;
  CallRecord& record_ = cloud_.record;
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CONFORMANCE_CLOUD_UNDER_TEST_H_
