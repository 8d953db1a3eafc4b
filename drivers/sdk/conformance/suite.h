// The rules, one method each. For this folder only.
#ifndef DRIVERS_SDK_CONFORMANCE_SUITE_H_
#define DRIVERS_SDK_CONFORMANCE_SUITE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "driver/v1/driver.pb.h"
#include "drivers/sdk/conformance/conformance.h"
#include "drivers/sdk/conformance/driver_client.h"
#include "machine/v1/drivers.pb.h"
#include "machine/v1/error_reason.pb.h"

namespace machine::driver::conformance {

/// A machine that the suite makes.
struct TestMachine {
  std::string uid;
  std::optional<::driver::v1::DriverState> state;
  std::string instance_id;
};

/// A random UUID.
std::string NewUid();

/// OK when `status` has `code` and, unless it is UNSPECIFIED, `reason`; else says what it has.
absl::Status ExpectError(const absl::Status& status, absl::StatusCode code,
                         machine::v1::ErrorReason reason);

/// OK when `good`; else FAILED_PRECONDITION with `otherwise`.
absl::Status Expect(bool good, absl::string_view otherwise);

class Suite {
 public:
  Suite(const common::Channel& channel, const Options& options)
      : options_(options), client_(channel, options.timeout), main_{.uid = NewUid()} {}

  std::vector<Result> Run();

 private:
  // suite_describe.cc: what the driver says about itself.
  absl::Status Handshakes();
  absl::Status RefusesOtherApis();
  absl::Status DescribesItsFlags();
  absl::Status CompletesOptions();
  absl::Status RefusesUnknownOptions();
  absl::Status RefusesWrongTypes();
  absl::Status RefusesMissingOptions();

  // suite_machine.cc: what it does to machines.
  absl::Status ChecksBeforeCreate();
  absl::Status Creates();
  absl::Status AdoptsWhatItMade();
  absl::Status RefusesAnotherSpecification();
  absl::Status RefusesStaleTokens();
  absl::Status RefusesNewerStates();
  absl::Status RefusesCallsWithoutUid();
  absl::Status ReadsAgree();
  absl::Status BatchesHaveLimits();
  absl::Status StopsAndStarts();
  absl::Status Kills();
  absl::Status Restarts();
  absl::Status ListsInstances();
  absl::Status UpgradesStates();
  absl::Status KnowsNothingOfUnknownMachines();
  absl::Status NoticesVanishedInstances();
  absl::Status CancelledCreateIsFound();
  absl::Status Removes();
  absl::Status KeepsSecrets();

  void Try(absl::string_view rule, absl::Status (Suite::*method)(), absl::string_view skipped = "");
  bool Can(::driver::v1::Capability capability) const;
  /// A reference to the machine for a call with a token higher than all before.
  ::driver::v1::MachineRef Ref(const TestMachine& machine);
  absl::Status ExpectState(const TestMachine& machine, machine::v1::MachineState state);
  /// The action ends well and in order; keeps the state it reports.
  absl::Status ExpectDone(TestMachine& machine, const ActionOutcome& outcome);
  absl::Status Remove(TestMachine& machine);
  absl::Status ExpectMissingCapability(const absl::Status& status);
  std::vector<machine::v1::OptionValue> Without(absl::string_view name) const;

  const Options options_;
  DriverClient client_;
  std::vector<Result> results_;
  ::driver::v1::HandshakeResponse handshake_;
  std::vector<machine::v1::FlagSpec> flags_;
  std::vector<machine::v1::OptionValue> normalized_;
  const std::string orchestrator_id_ = NewUid();
  int64_t token_ = 100;
  TestMachine main_;
};

}  // namespace machine::driver::conformance

#endif  // DRIVERS_SDK_CONFORMANCE_SUITE_H_
