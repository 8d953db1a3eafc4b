#include "drivers/sdk/driver.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/guard.h"
#include "services/common/status/status.h"

namespace machine::driver {
namespace {

// Inspections of one batch that run at once, where the driver has no better way.
constexpr size_t kBatchThreads = 16;

Observation ObservationOfFailure(const absl::Status& status) {
  Observation observation;
  const bool silent = absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status);
  observation.set_state(silent ? machine::v1::MACHINE_STATE_TIMEOUT
                               : machine::v1::MACHINE_STATE_UNSPECIFIED);
  return observation;
}

}  // namespace

bool DriverInfo::Can(Capability capability) const {
  return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
}

absl::Status MachineSpec::ParseState(google::protobuf::MessageLite& message) const {
  message.Clear();
  if (!state.has_value() || message.ParseFromString(*state)) return absl::OkStatus();
  return common::Error(absl::StatusCode::kDataLoss, machine::v1::ERROR_REASON_STORE_CORRUPT,
                       "the stored state of the driver cannot be read");
}

void SetState(const google::protobuf::MessageLite& state, Observation& observation) {
  observation.mutable_driver_state()->set_data(state.SerializeAsString());
}

absl::Status Driver::Init(const DriverEnvironment&) { return absl::OkStatus(); }

absl::Status Driver::Validate(Options&) const { return absl::OkStatus(); }

absl::Status Driver::PreCreateCheck(DriverCall&, const MachineSpec&) { return absl::OkStatus(); }

absl::StatusOr<Observation> Driver::Start(DriverCall&, const MachineSpec&) {
  return DoesNotSupport(info().name, "start");
}

absl::StatusOr<Observation> Driver::Stop(DriverCall&, const MachineSpec&,
                                         std::optional<absl::Duration>) {
  return DoesNotSupport(info().name, "stop");
}

absl::StatusOr<Observation> Driver::Kill(DriverCall&, const MachineSpec&) {
  return DoesNotSupport(info().name, "kill");
}

absl::StatusOr<Observation> Driver::Restart(DriverCall&, const MachineSpec&) {
  return DoesNotSupport(info().name, "restart");
}

absl::StatusOr<std::vector<Observation>> Driver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  std::vector<absl::StatusOr<Observation>> results(machines.size(), Observation());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < machines.size(); i = next++) {
      results[i] = Guarded([&]() -> absl::StatusOr<Observation> {
        DM_RETURN_IF_ERROR(call.Check());
        return Inspect(call, machines[i]);
      });
    }
  };
  const bool serial = info().Can(::driver::v1::CAPABILITY_SERIAL);
  std::vector<std::thread> threads;
  for (size_t i = 1; !serial && i < std::min(kBatchThreads, machines.size()); ++i) {
    threads.emplace_back(work);
  }
  work();
  for (std::thread& thread : threads) thread.join();

  std::vector<Observation> observations;
  size_t failed = 0;
  for (absl::StatusOr<Observation>& result : results) {
    if (!result.ok()) ++failed;
    observations.push_back(result.ok() ? *std::move(result)
                                       : ObservationOfFailure(result.status()));
  }
  // A cause that all share, such as refused credentials, is worth more than a list of blanks.
  if (failed > 0 && failed == machines.size()) return results.front().status();
  return observations;
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> Driver::ListInstances(
    DriverCall&, absl::string_view, const Options&) {
  return DoesNotSupport(info().name, "listing instances");
}

absl::StatusOr<std::string> Driver::UpgradeState(DriverCall&, const MachineSpec& machine) {
  if (machine.state_version == kImportedStateVersion) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_CAPABILITY_MISSING,
                         absl::StrCat("the ", info().name,
                                      " driver cannot manage machines that were imported; env, "
                                      "config and ssh work, and rm -f forgets the machine here"));
  }
  return common::Error(
      absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_INVARIANT,
      absl::StrCat(info().name, " driver cannot read states of version ", machine.state_version));
}

}  // namespace machine::driver
