#include "drivers/vmwarevcloudair/vcloud_driver.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevcloudair/catalog.h"
#include "drivers/vmwarevcloudair/edge_gateway.h"
#include "drivers/vmwarevcloudair/settings.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

// What a task may take at the provider before something is wrong there.
constexpr absl::Duration kTaskLimit = absl::Minutes(10);
// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

// Without an endpoint there is nobody to ask.
absl::Status ServiceIsGone() {
  return PreCreateCheckFailed(absl::StrCat(
      "VMware vCloud Air was shut down: it was sold in 2017. For a VMware Cloud Director of "
      "another provider give its URL by --",
      kHrefFlag, " and the organisation by --", kOrgFlag));
}

void WarnOf(DriverCall& call, const Settings& settings) {
  if (std::any_of(settings.open_cidrs.begin(), settings.open_cidrs.end(), IsEverywhere)) {
    call.Warning(absl::StrCat("--", kOpenCidrFlag,
                              ": the whole internet may try to reach ssh and the engine"));
  }
}

absl::Status CheckPlace(DriverCall& call, VcdApi& api, const MachineSpec& machine,
                        const Settings& settings, const Timing& timing) {
  DM_RETURN_IF_ERROR(api.session().LogIn(call));
  DM_ASSIGN_OR_RETURN(const Place place, Choose(call, api, settings));
  if (settings.public_ip.empty()) return absl::OkStatus();
  return EdgeGatewayAt(api, timing.poll, place.gateway.href)
      ->Check(call, AccessTo(machine, settings));
}

absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, VcdApi& api,
                                                    const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> all,
                      ListInstancesNamed(call, api, absl::StrCat(UidTag(""), "*")));
  std::map<std::string, const Instance*> by_tag;
  for (const Instance& instance : all) by_tag.emplace(instance.name, &instance);
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine->options));
    const auto listed = by_tag.find(UidTag(machine->uid));
    if (listed != by_tag.end()) {
      observations.push_back(ObservationOf(*listed->second, settings));
      continue;
    }
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    std::optional<Instance> instance;
    // One that was imported is never listed by our name.
    if (state.imported() || single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(instance, FindInstance(call, api, *machine));
    }
    observations.push_back(instance.has_value() ? ObservationOf(*instance, settings)
                                                : NotFoundObservation());
  }
  return observations;
}

}  // namespace

DriverInfo VcloudDriver::info() const {
  return CloudDriverInfo("vmwarevcloudair", absl::Minutes(5));
}

Flags VcloudDriver::flags() const { return VcloudFlags(); }

absl::Status VcloudDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<VcdApi>> VcloudDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(Credentials credentials, ReadCredentials(options));
  if (credentials.href.empty()) return ServiceIsGone();
  const std::string identity =
      absl::StrCat(credentials.href, "\n", credentials.org, "\n", credentials.username, "\n",
                   credentials.password, "\n", credentials.token, "\n", credentials.ca_pem);
  return accounts_.Of(identity, [&] {
    return std::make_shared<VcdApi>(*http_, std::move(credentials), timing_.poll);
  });
}

absl::Status VcloudDriver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadCredentials(options).status());
  return ReadSettings(options).status();
}

absl::Status VcloudDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  WarnOf(call, settings);
  return ExplainCheck(
      CheckPlace(call, *api, machine, settings, timing_),
      absl::StrCat("--", kUsernameFlag, ", --", kPasswordFlag, " or --", kTokenFlag),
      absl::StrCat("--", kHrefFlag, ": give its authority by --vmwarevcloudair-ca"));
}

absl::StatusOr<Observation> VcloudDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return CreateMachine(call, *api, timing_, machine, settings);
}

absl::StatusOr<Observation> VcloudDriver::Bring(DriverCall& call, const MachineSpec& machine,
                                                absl::string_view status, absl::string_view action,
                                                absl::Duration grace) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Instance instance,
                      BringTo(call, *api, timing_, machine, status, action, grace));
  return ObservationOf(instance, settings);
}

absl::StatusOr<Observation> VcloudDriver::Start(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering on vApp...");
  return Bring(call, machine, "POWERED_ON", "powerOn", kTaskLimit);
}

absl::StatusOr<Observation> VcloudDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                               std::optional<absl::Duration> grace) {
  call.Progress("Shutting down guest...");
  return Bring(call, machine, "POWERED_OFF", "shutdown", grace.value_or(timing_.grace));
}

absl::StatusOr<Observation> VcloudDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering off vApp...");
  return Bring(call, machine, "POWERED_OFF", "powerOff", kTaskLimit);
}

absl::StatusOr<Observation> VcloudDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Restarting vApp...");
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Instance instance, RequireInstance(call, *api, machine));
  if (instance.status == "POWERED_ON") {
    DM_RETURN_IF_ERROR(api->Run(call, "POST", absl::StrCat(instance.vapp, "/power/action/reboot")));
  }
  return Bring(call, machine, "POWERED_ON", "powerOn", kTaskLimit);
}

absl::Status VcloudDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  call.Progress("Removing vApp...");
  return RemoveAll(call, *api, timing_, machine);
}

absl::StatusOr<Observation> VcloudDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindInstance(call, *api, machine));
  return instance.has_value() ? ObservationOf(*instance, settings) : NotFoundObservation();
}

absl::StatusOr<std::vector<Observation>> VcloudDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<VcdApi>(
      machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
      [&](VcdApi& api, const AccountMachines& share) { return InspectAll(call, api, share); });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> VcloudDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> all,
                      ListInstancesNamed(call, *api, absl::StrCat(UidTag(""), "*")));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Instance& each : all) {
    // A query does not show whose it is.
    const absl::StatusOr<XmlElement> vapp = api->Get(call, each.vapp);
    if (absl::IsNotFound(vapp.status())) continue;
    if (!vapp.ok()) return vapp.status();
    const std::string& description = vapp->Text("Description");
    if (!absl::StrContains(description, OrchestratorTag(orchestrator_id))) continue;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(UidOfTag(each.name).value_or(""));
    *instance.mutable_observation() = ObservationOf(each, settings);
  }
  return instances;
}

absl::StatusOr<std::string> VcloudDriver::UpgradeState(DriverCall& call,
                                                       const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::vmwarevcloudair
