// The verbs of drivers whose machines are instances of a provider: found by their uid, changed by
// an action with a name, and looked at until they are so.
#ifndef DRIVERS_SDK_CLOUD_INSTANCE_DRIVER_H_
#define DRIVERS_SDK_CLOUD_INSTANCE_DRIVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/driver.h"
#include "services/common/status/status.h"

namespace machine::driver {

/// What a provider calls things. The texts outlive the driver.
struct InstanceWords {
  /// For people: "SoftLayer", "virtual guest".
  absl::string_view provider;
  absl::string_view instance = "instance";
  /// Its actions.
  absl::string_view start = "start";
  absl::string_view stop = "stop";
  absl::string_view kill = "kill";
  absl::string_view reboot = "reboot";
  /// What is asked for once a killed instance is off, so that it costs less; empty for nothing.
  absl::string_view release = "";
};

/// How something goes that a provider does after it has answered: true once it has ended. A
/// transient error says nothing, and is how it asks for a pause, by RetryInfo; others are what it
/// failed with.
using PendingAction = std::function<absl::StatusOr<bool>()>;

/// Waits for its end. OK at once for an empty one.
inline absl::Status AwaitEnd(const common::CallScope& call, const Backoff& poll,
                             const PendingAction& action) {
  if (!action) return absl::OkStatus();
  const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
    DM_ASSIGN_OR_RETURN(const bool ended, action());
    return ended ? std::make_optional(true) : std::nullopt;
  };
  return Await<bool>(call, poll, look).status();
}

/// The facts of a driver that can do all, and whose machines need up to `ssh_timeout` to answer.
inline DriverInfo CloudDriverInfo(absl::string_view name, absl::Duration ssh_timeout) {
  DriverInfo info;
  info.name = std::string(name);
  info.capabilities = {::driver::v1::CAPABILITY_LIST_INSTANCES, ::driver::v1::CAPABILITY_KILL,
                       ::driver::v1::CAPABILITY_POWER, ::driver::v1::CAPABILITY_RESTART};
  info.ssh_timeout = ssh_timeout;
  return info;
}

/// What PreCreateCheck returns where its reads ended with `status`. Refused credentials are told by
/// the options they came from, `credentials` ("--x-key, --x-secret"); a server that is not trusted
/// by that of its address, `endpoint` ("--x-endpoint"). A provider that is down fails the check:
/// somebody waits for the answer, and that is no reason to try for half an hour.
inline absl::Status ExplainCheck(const absl::Status& status, absl::string_view credentials,
                                 absl::string_view endpoint) {
  if (absl::IsUnauthenticated(status)) {
    const bool trusted = common::ReasonOf(status) != machine::v1::ERROR_REASON_SERVER_NOT_TRUSTED;
    return common::Annotate(status, trusted ? credentials : endpoint);
  }
  return absl::IsUnavailable(status) ? PreCreateCheckFailed(status.message()) : status;
}

/// `Api` is the provider's, one for each account; `Instance` what it says of a machine.
template <typename Api, typename Instance>
class InstanceDriver : public Driver {
 public:
  absl::StatusOr<Observation> Start(DriverCall& call, const MachineSpec& machine) final {
    call.Progress(absl::StrCat("Starting ", words_.instance, "..."));
    return Bring(call, machine, machine::v1::MACHINE_STATE_RUNNING, words_.start, kPowerLimit);
  }

  absl::StatusOr<Observation> Stop(DriverCall& call, const MachineSpec& machine,
                                   std::optional<absl::Duration> grace) final {
    call.Progress(absl::StrCat("Stopping ", words_.instance, "..."));
    return Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, words_.stop,
                 grace.value_or(grace_));
  }

  absl::StatusOr<Observation> Kill(DriverCall& call, const MachineSpec& machine) final {
    call.Progress(absl::StrCat("Powering off ", words_.instance, "..."));
    absl::StatusOr<Observation> off =
        Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, words_.kill, kPowerLimit);
    if (!off.ok() || words_.release.empty()) return off;
    return Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, words_.release, kPowerLimit);
  }

  absl::StatusOr<Observation> Restart(DriverCall& call, const MachineSpec& machine) final {
    call.Progress(absl::StrCat("Restarting ", words_.instance, "..."));
    DM_ASSIGN_OR_RETURN(const std::shared_ptr<Api> api, AccountOf(machine.options));
    DM_ASSIGN_OR_RETURN(const Instance instance, Require(call, *api, machine));
    if (StateIn(instance) == machine::v1::MACHINE_STATE_RUNNING) {
      DM_RETURN_IF_ERROR(call.Check());
      DM_ASSIGN_OR_RETURN(const PendingAction begun,
                          Act(call, *api, instance, words_.reboot, /*times=*/0));
      DM_RETURN_IF_ERROR(AwaitEnd(call, poll_, begun));
    }
    return Bring(call, machine, machine::v1::MACHINE_STATE_RUNNING, words_.start, kPowerLimit);
  }

  absl::Status Remove(DriverCall& call, const MachineSpec& machine) final {
    DM_ASSIGN_OR_RETURN(const std::shared_ptr<Api> api, AccountOf(machine.options));
    call.Progress(absl::StrCat("Removing ", words_.instance, "..."));
    return RemoveAllOf(call, *api, machine);
  }

  absl::StatusOr<Observation> Inspect(DriverCall& call, const MachineSpec& machine) final {
    DM_ASSIGN_OR_RETURN(const std::shared_ptr<Api> api, AccountOf(machine.options));
    DM_ASSIGN_OR_RETURN(const std::optional<Instance> instance, Find(call, *api, machine));
    if (!instance.has_value()) return NotFoundObservation();
    return Observe(call, *api, machine, *instance);
  }

  absl::StatusOr<std::vector<Observation>> BatchInspect(
      DriverCall& call, absl::Span<const MachineSpec> machines) final {
    return InspectByAccount<Api>(
        machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
        [&](Api& api, const AccountMachines& share) { return InspectAll(call, api, share); });
  }

 protected:
  /// `poll` between looks; `grace` is what a guest gets to shut down, unless told otherwise.
  InstanceDriver(const InstanceWords& words, const Backoff& poll, absl::Duration grace)
      : words_(words), poll_(poll), grace_(grace) {}

  virtual absl::StatusOr<std::shared_ptr<Api>> AccountOf(const Options& options) = 0;
  /// The instance of a machine: by the id in its state, else by its uid.
  virtual absl::StatusOr<std::optional<Instance>> Find(DriverCall& call, const Api& api,
                                                       const MachineSpec& machine) = 0;
  virtual MachineState StateIn(const Instance& instance) const = 0;
  /// Whether it is as `wanted`, to which `action` brings it.
  virtual bool IsThere(const Instance& instance, MachineState wanted, absl::string_view) const {
    return StateIn(instance) == wanted;
  }
  /// Something is under way with it that must end before it is `wanted`, or may be asked to be.
  virtual bool IsBusy(const Instance&, MachineState) const { return false; }
  /// Asks for an action, which this call has done `times` times before. Returns how it goes; empty
  /// where the instance alone tells: then it is asked for once.
  virtual absl::StatusOr<PendingAction> Act(DriverCall& call, const Api& api,
                                            const Instance& instance, absl::string_view action,
                                            int times) = 0;
  virtual absl::StatusOr<Observation> Observe(DriverCall& call, const Api& api,
                                              const MachineSpec& machine,
                                              const Instance& instance) = 0;
  /// One observation for each machine, in order, by as few requests as can be.
  virtual absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const Api& api,
                                                              const AccountMachines& machines) = 0;
  /// Deletes all that was made for the machine, whatever point its create reached.
  virtual absl::Status RemoveAllOf(DriverCall& call, const Api& api,
                                   const MachineSpec& machine) = 0;

 private:
  // What a change of power may take at the provider before something is wrong there.
  static constexpr absl::Duration kPowerLimit = absl::Minutes(9);

  absl::StatusOr<Instance> Require(DriverCall& call, const Api& api, const MachineSpec& machine) {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, Find(call, api, machine));
    if (instance.has_value()) return *std::move(instance);
    return InstanceGone(
        absl::StrCat(words_.provider, " has no ", words_.instance, " of machine ", machine.name));
  }

  // Brings the machine to `wanted` by `action`, unless it is there, and waits `limit`.
  // Errors: InstanceGone(); DEADLINE_EXCEEDED STEP_TIMEOUT when it does not get there.
  absl::StatusOr<Observation> Bring(DriverCall& call, const MachineSpec& machine,
                                    MachineState wanted, absl::string_view action,
                                    absl::Duration limit) {
    DM_ASSIGN_OR_RETURN(const std::shared_ptr<Api> api, AccountOf(machine.options));
    const absl::Time deadline = absl::Now() + limit;
    PendingAction pending;
    int times = 0;
    bool may_ask = true;
    const auto look = [&]() -> absl::StatusOr<std::optional<Instance>> {
      DM_ASSIGN_OR_RETURN(Instance instance, Require(call, *api, machine));
      const bool busy = IsBusy(instance, wanted);
      if (IsThere(instance, wanted, action) && !busy) return instance;
      if (absl::Now() >= deadline) return DidNotObey(machine, wanted, limit);
      if (pending) {
        DM_ASSIGN_OR_RETURN(const bool ended, pending());
        // Ended without effect, it is asked for again.
        if (ended) pending = nullptr;
      } else if (may_ask && !busy) {
        DM_RETURN_IF_ERROR(call.Check());
        DM_ASSIGN_OR_RETURN(pending, Act(call, *api, instance, action, times));
        ++times;
        may_ask = static_cast<bool>(pending);
      }
      return std::nullopt;
    };
    DM_ASSIGN_OR_RETURN(const Instance instance, Await<Instance>(call, poll_, look));
    return Observe(call, *api, machine, instance);
  }

  absl::Status DidNotObey(const MachineSpec& machine, MachineState wanted,
                          absl::Duration limit) const {
    const bool stop = wanted == machine::v1::MACHINE_STATE_STOPPED;
    // Where kill is no more than stop it is no advice.
    const bool may_kill = stop && words_.kill != words_.stop;
    return common::Error(
        absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
        absl::StrCat("machine ", machine.name, stop ? " is not off" : " does not run", " after ",
                     absl::FormatDuration(limit), may_kill ? "; kill it if it must be" : ""));
  }

  const InstanceWords words_;
  const Backoff poll_;
  const absl::Duration grace_;
};

}  // namespace machine::driver

#endif  // DRIVERS_SDK_CLOUD_INSTANCE_DRIVER_H_
