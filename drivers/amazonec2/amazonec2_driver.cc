#include "drivers/amazonec2/amazonec2_driver.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "drivers/amazonec2/catalog.h"
#include "drivers/amazonec2/settings.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

// What an action may take at the provider before something is wrong there.
constexpr absl::Duration kActionLimit = absl::Minutes(5);
// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

// The uid of the machine that an instance was made for; empty for none.
std::string UidOf(const Instance& instance) {
  const auto it = instance.tags.find(std::string(kUidKey));
  return it == instance.tags.end() ? "" : it->second;
}

// A region of the same partition that knows all others.
std::string HomeRegion(absl::string_view region) {
  if (absl::StartsWith(region, "cn-")) return "cn-north-1";
  if (absl::StartsWith(region, "us-gov-")) return "us-gov-west-1";
  return "us-east-1";
}

void WarnOf(DriverCall& call, const Settings& settings) {
  const bool opens = settings.groups.empty() || !settings.groups_read_only;
  if (opens && std::any_of(settings.open_cidrs.begin(), settings.open_cidrs.end(), IsEverywhere)) {
    call.Warning(absl::StrCat("the whole internet may try to reach ssh and the engine; --",
                              kOpenCidrFlag, " narrows that"));
  }
  if (settings.metadata_tokens == "optional") {
    call.Warning(
        "--amazonec2-metadata-token optional: whoever makes a program on the machine fetch a URL "
        "may get the credentials of its role");
  }
}

absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, const Ec2Api& api,
                                                    const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(
      const std::vector<Instance> instances,
      api.ListInstances(call, {{"tag-key", {std::string(kMachineTag)}}, NotTerminated()}));
  std::map<std::string, const Instance*> by_uid;
  for (const Instance& instance : instances) {
    const Instance*& known = by_uid[UidOf(instance)];
    // One that lives before one that ends.
    if (known == nullptr || known->state == "shutting-down") known = &instance;
  }
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
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    // One that was imported is never listed by our tag.
    if (state.imported() || single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(instance, FindMachine(call, api, *machine));
    }
    observations.push_back(instance.has_value() ? ObservationOf(*instance, settings)
                                                : NotFoundObservation());
  }
  return observations;
}

}  // namespace

DriverInfo AmazonEc2Driver::info() const { return CloudDriverInfo("amazonec2", absl::Minutes(5)); }

Flags AmazonEc2Driver::flags() const { return AmazonEc2Flags(); }

absl::Status AmazonEc2Driver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

std::shared_ptr<Ec2Api> AmazonEc2Driver::AccountOf(const AccountSettings& settings) {
  const std::string identity =
      absl::StrJoin({settings.endpoint, settings.region, settings.access_key, settings.secret_key,
                     settings.session_token, settings.profile, settings.role_arn},
                    "\n");
  return accounts_.Of(identity, [&] {
    return std::make_shared<Ec2Api>(*http_, settings, timing_.retry, environment_);
  });
}

absl::StatusOr<std::shared_ptr<Ec2Api>> AmazonEc2Driver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(const AccountSettings settings, ReadAccount(options));
  return AccountOf(settings);
}

absl::Status AmazonEc2Driver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadAccount(options).status());
  return ReadSettings(options).status();
}

absl::Status AmazonEc2Driver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const AccountSettings account, ReadAccount(machine.options));
  WarnOf(call, settings);
  AccountSettings home = account;
  home.region = HomeRegion(account.region);
  // In that order: the API of a region that does not exist cannot be reached.
  absl::Status status = CheckRegion(call, *AccountOf(home), settings);
  if (absl::IsUnauthenticated(status) && !account.access_key.empty()) {
    return common::Annotate(status, absl::StrCat("--", kAccessKeyFlag));
  }
  if (status.ok()) status = CheckSettings(call, *AccountOf(account), settings);
  // Somebody waits for the answer: a provider that is down is no reason to try for half an hour.
  return absl::IsUnavailable(status) ? PreCreateCheckFailed(status.message()) : status;
}

absl::StatusOr<Observation> AmazonEc2Driver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return InstanceCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<Observation> AmazonEc2Driver::Bring(DriverCall& call, const MachineSpec& machine,
                                                   Power power, absl::Duration grace) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Instance instance, BringTo(call, *api, timing_, machine, power, grace));
  return ObservationOf(instance, settings);
}

absl::StatusOr<Observation> AmazonEc2Driver::Start(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Starting instance...");
  return Bring(call, machine, Power::kStart, kActionLimit);
}

absl::StatusOr<Observation> AmazonEc2Driver::Stop(DriverCall& call, const MachineSpec& machine,
                                                  std::optional<absl::Duration> grace) {
  call.Progress("Stopping instance...");
  return Bring(call, machine, Power::kStop, grace.value_or(timing_.grace));
}

absl::StatusOr<Observation> AmazonEc2Driver::Kill(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Forcing instance to stop...");
  return Bring(call, machine, Power::kForcedStop, kActionLimit);
}

absl::StatusOr<Observation> AmazonEc2Driver::Restart(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Restarting instance...");
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Instance instance, RequireMachine(call, *api, machine));
  if (instance.state == "running") {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(api->RebootInstance(call, instance.id));
  }
  return Bring(call, machine, Power::kStart, kActionLimit);
}

absl::Status AmazonEc2Driver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  call.Progress("Terminating instance...");
  return RemoveAll(call, *api, timing_, machine);
}

absl::StatusOr<Observation> AmazonEc2Driver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindMachine(call, *api, machine));
  return instance.has_value() ? ObservationOf(*instance, settings) : NotFoundObservation();
}

absl::StatusOr<std::vector<Observation>> AmazonEc2Driver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<Ec2Api>(
      machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
      [&](Ec2Api& api, const AccountMachines& share) { return InspectAll(call, api, share); });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> AmazonEc2Driver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(
      const std::vector<Instance> found,
      api->ListInstances(call, {TagIs(kOrchestratorKey, orchestrator_id), NotTerminated()}));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Instance& each : found) {
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(UidOf(each));
    *instance.mutable_observation() = ObservationOf(each, settings);
  }
  return instances;
}

absl::StatusOr<std::string> AmazonEc2Driver::UpgradeState(DriverCall& call,
                                                          const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::amazonec2
