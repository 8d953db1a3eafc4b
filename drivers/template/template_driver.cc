#include "drivers/template/template_driver.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/template/catalog.h"
#include "drivers/template/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {
namespace {

// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

}  // namespace

DriverInfo TemplateDriver::info() const { return CloudDriverInfo("template", absl::Minutes(5)); }

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
  return ExplainCheck(Choose(call, *api, settings).status(), absl::StrCat("--", kTokenFlag),
                      absl::StrCat("--", kEndpointFlag));
}

absl::StatusOr<Observation> TemplateDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return InstanceCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<std::optional<Instance>> TemplateDriver::Find(DriverCall& call,
                                                             const TemplateApi& api,
                                                             const MachineSpec& machine) {
  return FindInstance(call, api, machine);
}

MachineState TemplateDriver::StateIn(const Instance& instance) const {
  return StateOfInstance(instance.status);
}

absl::StatusOr<PendingAction> TemplateDriver::Act(DriverCall& call, const TemplateApi& api,
                                                  const Instance& instance,
                                                  absl::string_view action, int) {
  DM_RETURN_IF_ERROR(api.Act(call, instance.id, action));
  return PendingAction();
}

absl::StatusOr<Observation> TemplateDriver::Observe(DriverCall&, const TemplateApi&,
                                                    const MachineSpec& machine,
                                                    const Instance& instance) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return ObservationOf(instance, settings);
}

absl::StatusOr<std::vector<Observation>> TemplateDriver::InspectAll(
    DriverCall& call, const TemplateApi& api, const AccountMachines& machines) {
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

absl::Status TemplateDriver::RemoveAllOf(DriverCall& call, const TemplateApi& api,
                                         const MachineSpec& machine) {
  return RemoveAll(call, api, timing_, machine);
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
