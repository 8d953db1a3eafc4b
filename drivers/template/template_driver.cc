#include "drivers/template/template_driver.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/template/catalog.h"
#include "drivers/template/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {
namespace {

// What a change of power may take at the provider before something is wrong there.
constexpr absl::Duration kPowerLimit = absl::Minutes(5);
// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const TemplateApi& api,
                                                    const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> instances, api.ListInstances(call, kMachineTag));
  std::map<std::string, const Instance*> by_uid;
  for (const Instance& instance : instances) by_uid.emplace(UidOf(instance), &instance);
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine->options));
    const auto listed = by_uid.find(machine->uid);
    if (listed != by_uid.end()) {
      observations.push_back(ObservationOf(*listed->second, settings));
      continue;
    }
    // Pages shift while they are read, and lists lag: absence is worth another look.
    std::optional<Instance> instance;
    if (single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(instance, FindInstance(call, api, *machine));
    }
    observations.push_back(instance.has_value() ? ObservationOf(*instance, settings)
                                                : NotFoundObservation());
  }
  return observations;
}

}  // namespace

DriverInfo TemplateDriver::info() const {
  DriverInfo info;
  info.name = "template";
  info.capabilities = {::driver::v1::CAPABILITY_LIST_INSTANCES, ::driver::v1::CAPABILITY_KILL,
                       ::driver::v1::CAPABILITY_POWER, ::driver::v1::CAPABILITY_RESTART};
  info.ssh_timeout = absl::Minutes(5);
  return info;
}

Flags TemplateDriver::flags() const { return TemplateFlags(); }

absl::Status TemplateDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<TemplateApi>> TemplateDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options));
  return accounts_.Of(absl::StrCat(credentials.endpoint, "\n", credentials.token), [&] {
    return std::make_shared<TemplateApi>(*http_, credentials.endpoint, credentials.token,
                                         timing_.retry);
  });
}

absl::Status TemplateDriver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadCredentials(options).status());
  return ReadSettings(options).status();
}

absl::Status TemplateDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckRetiredValues(machine.options));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  const absl::Status status = Choose(call, *api, settings).status();
  if (absl::IsUnauthenticated(status)) {
    return common::Annotate(status, absl::StrCat("--", kTokenFlag));
  }
  // Somebody waits for the answer: a provider that is down is no reason to try for half an hour.
  return absl::IsUnavailable(status) ? PreCreateCheckFailed(status.message()) : status;
}

absl::StatusOr<Observation> TemplateDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return InstanceCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<Observation> TemplateDriver::Bring(DriverCall& call, const MachineSpec& machine,
                                                  MachineState wanted, absl::string_view verb,
                                                  absl::Duration limit) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Instance instance,
                      BringTo(call, *api, timing_, machine, wanted, verb, limit));
  return ObservationOf(instance, settings);
}

absl::StatusOr<Observation> TemplateDriver::Start(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Starting instance...");
  return Bring(call, machine, machine::v1::MACHINE_STATE_RUNNING, "start", kPowerLimit);
}

absl::StatusOr<Observation> TemplateDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                                 std::optional<absl::Duration> grace) {
  call.Progress("Stopping instance...");
  return Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, "stop",
               grace.value_or(timing_.grace));
}

absl::StatusOr<Observation> TemplateDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering off instance...");
  return Bring(call, machine, machine::v1::MACHINE_STATE_STOPPED, "kill", kPowerLimit);
}

absl::StatusOr<Observation> TemplateDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Restarting instance...");
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Instance instance, RequireInstance(call, *api, machine));
  if (StateOfInstance(instance.status) == machine::v1::MACHINE_STATE_RUNNING) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(api->Act(call, instance.id, "reboot"));
  }
  return Bring(call, machine, machine::v1::MACHINE_STATE_RUNNING, "start", kPowerLimit);
}

absl::Status TemplateDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  call.Progress("Removing instance...");
  return RemoveAll(call, *api, timing_, machine);
}

absl::StatusOr<Observation> TemplateDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindInstance(call, *api, machine));
  return instance.has_value() ? ObservationOf(*instance, settings) : NotFoundObservation();
}

absl::StatusOr<std::vector<Observation>> TemplateDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<TemplateApi>(
      machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
      [&](TemplateApi& api, const AccountMachines& share) { return InspectAll(call, api, share); });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> TemplateDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> list,
                      api->ListInstances(call, OrchestratorTag(orchestrator_id)));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Instance& each : list) {
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(UidOf(each));
    *instance.mutable_observation() = ObservationOf(each, settings);
  }
  return instances;
}

}  // namespace machine::driver::template_cloud
