#include "drivers/google/google_driver.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/google/catalog.h"
#include "drivers/sdk/cloud/choices.h"
#include "services/common/status/status.h"

namespace machine::driver::gce {
namespace {

// Machines of a batch that are asked for one by one when the list lacks them.
constexpr size_t kMaxSingleLooks = 20;

void WarnOf(DriverCall& call, const Options& options, const Settings& settings) {
  const std::string& type = options.GetString(kMachineTypeFlag);
  if (!type.empty() && type != settings.machine_type) {
    call.Warning(
        absl::StrCat("--", kMachineTypeFlag, ": ", type, " is now called ", settings.machine_type));
  }
  if (std::any_of(settings.open_cidrs.begin(), settings.open_cidrs.end(), IsEverywhere)) {
    call.Warning(
        absl::StrCat("the whole internet may try to reach ssh and the engine; name who may with --",
                     kOpenCidrFlag));
  }
}

// Somebody waits for the answer: a provider that is down is no reason to try for half an hour.
absl::Status AsCheck(const absl::Status& status) {
  return absl::IsUnavailable(status) ? PreCreateCheckFailed(status.message()) : status;
}

absl::Status CheckProject(DriverCall& call, const GoogleApi& api, const Credentials& credentials) {
  const absl::Status status = api.CheckProject(call);
  if (absl::IsUnauthenticated(status) && !credentials.token.empty()) {
    return common::Annotate(status, absl::StrCat("--", kTokenFlag));
  }
  if (absl::IsUnauthenticated(status) && !credentials.file.empty()) {
    return common::Annotate(status, absl::StrCat("--", kCredentialsFlag));
  }
  if (absl::IsNotFound(status) || absl::IsPermissionDenied(status)) {
    return PreCreateCheckFailed(
        absl::StrCat("--", kProjectFlag, ": project ", api.project(),
                     " is not there, or these credentials may not use Compute Engine in it. ",
                     status.message()));
  }
  return AsCheck(status);
}

// A rule belongs to the project of its network.
absl::Status CheckRuleIsAllowed(const Settings& settings) {
  const std::vector<std::string> parts = absl::StrSplit(settings.network, '/');
  if (settings.open_cidrs.empty() || parts[1] == settings.project) return absl::OkStatus();
  return PreCreateCheckFailed(absl::StrCat(
      "--", kOpenCidrFlag, ": firewall rules of a shared network are made in its project ",
      parts[1], "; make one there for a tag of --google-tags, and give --", kOpenCidrFlag,
      " none"));
}

absl::Status CheckExisting(DriverCall& call, const GoogleApi& api, const MachineSpec& machine,
                           const Settings& settings) {
  const std::string name = InstanceName(machine, settings);
  DM_ASSIGN_OR_RETURN(const std::optional<Instance> instance,
                      api.FindInstance(call, settings.zone, name));
  if (!instance.has_value()) {
    DM_ASSIGN_OR_RETURN(std::vector<std::string> names, api.ListInstanceNames(call, settings.zone));
    return NoSuchChoice(kUseExistingFlag, absl::StrCat("instance in zone ", settings.zone), name,
                        std::move(names));
  }
  const std::string owner = instance->Label(kUidLabel);
  if (owner.empty() || owner == machine.uid) return absl::OkStatus();
  return PreCreateCheckFailed(
      absl::StrCat("--", kUseExistingFlag, ": the instance ", name, " belongs to another machine"));
}

}  // namespace

DriverInfo GoogleDriver::info() const { return CloudDriverInfo("google", absl::Minutes(5)); }

Flags GoogleDriver::flags() const { return GoogleFlags(); }

absl::Status GoogleDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

std::unique_ptr<TokenSource> GoogleDriver::TokensOf(const Credentials& credentials) const {
  if (!credentials.token.empty()) return GivenToken(credentials.token);
  if (!credentials.file.empty()) {
    return TokensFor(*http_, ParseCredentialsFile(credentials.file));
  }
  return DefaultTokens(*http_, surroundings_);
}

absl::StatusOr<std::shared_ptr<GoogleApi>> GoogleDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options));
  const std::string identity = absl::StrCat(credentials.endpoint, "\n", credentials.project, "\n",
                                            credentials.token, "\n", credentials.file);
  return accounts_.Of(identity, [&] {
    return std::make_shared<GoogleApi>(*http_, credentials.endpoint, credentials.project,
                                       TokensOf(credentials), timing_.retry);
  });
}

absl::Status GoogleDriver::Validate(Options& options) const {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options));
  DM_RETURN_IF_ERROR(CheckCredentials(credentials));
  return ReadSettings(options).status();
}

absl::Status GoogleDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckRetiredValues(machine.options));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  WarnOf(call, machine.options, settings);
  DM_RETURN_IF_ERROR(CheckProject(call, *api, credentials));
  if (settings.use_existing) return AsCheck(CheckExisting(call, *api, machine, settings));
  DM_RETURN_IF_ERROR(CheckRuleIsAllowed(settings));
  const absl::StatusOr<Choice> choice = CheckSettings(call, *api, settings);
  if (!choice.ok()) return AsCheck(choice.status());
  if (choice->little_memory) {
    call.Warning(absl::StrCat("--", kMachineTypeFlag, ": ", choice->machine_type,
                              " has less than 1 GiB of memory, which an engine hardly runs in; "
                              "e2-micro has it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Observation> GoogleDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return InstanceCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<std::optional<Instance>> GoogleDriver::Find(DriverCall& call, const GoogleApi& api,
                                                           const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return FindInstance(call, api, machine, settings);
}

MachineState GoogleDriver::StateIn(const Instance& instance) const {
  return StateOfInstance(instance.status);
}

bool GoogleDriver::IsBusy(const Instance& instance, MachineState wanted) const {
  // A stop or a suspension under way cannot be turned back.
  const MachineState state = StateIn(instance);
  return state == machine::v1::MACHINE_STATE_STOPPING ||
         (state == machine::v1::MACHINE_STATE_STARTING &&
          wanted == machine::v1::MACHINE_STATE_RUNNING);
}

absl::StatusOr<PendingAction> GoogleDriver::Act(DriverCall& call, const GoogleApi& api,
                                                const Instance& instance, absl::string_view action,
                                                int times) {
  const bool saved = StateIn(instance) == machine::v1::MACHINE_STATE_SAVED;
  const absl::string_view verb = saved && action == "start" ? "resume" : action;
  // Google carries out one id once: asked for again, it gets another.
  const std::string id = RequestIds(call).Next(absl::StrCat(verb, "\n", times));
  DM_ASSIGN_OR_RETURN(const Operation begun, api.Act(call, instance, verb, id));
  return [&call, &api, begun]() -> absl::StatusOr<bool> {
    const absl::StatusOr<Operation> now = api.GetOperation(call, begun);
    // What was just begun may take a while to show.
    if (absl::IsNotFound(now.status())) return false;
    if (!now.ok()) return now.status();
    DM_RETURN_IF_ERROR(now->failure);
    return now->done;
  };
}

absl::StatusOr<Observation> GoogleDriver::Observe(DriverCall&, const GoogleApi&,
                                                  const MachineSpec& machine,
                                                  const Instance& instance) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return ObservationOf(instance, settings);
}

absl::StatusOr<std::vector<Observation>> GoogleDriver::InspectAll(DriverCall& call,
                                                                  const GoogleApi& api,
                                                                  const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const InstanceList list, api.ListInstances(call, kMachineLabel, kLabelled));
  std::map<std::string, const Instance*> by_uid;
  for (const Instance& instance : list.instances) {
    by_uid.emplace(instance.Label(kUidLabel), &instance);
  }
  const auto& silent = list.unreachable_zones;
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine->options));
    const auto listed = by_uid.find(machine->uid);
    if (listed != by_uid.end()) {
      observations.push_back(ObservationOf(*listed->second, settings));
      continue;
    }
    if (std::find(silent.begin(), silent.end(), settings.zone) != silent.end()) {
      observations.emplace_back().set_state(machine::v1::MACHINE_STATE_TIMEOUT);
      continue;
    }
    // Pages shift while they are read, and lists lag: absence is worth another look.
    std::optional<Instance> instance;
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    // The list has labelled ones only.
    if (state.imported() || single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(instance, FindInstance(call, api, *machine, settings));
    }
    observations.push_back(instance.has_value() ? ObservationOf(*instance, settings)
                                                : NotFoundObservation());
  }
  return observations;
}

absl::Status GoogleDriver::RemoveAllOf(DriverCall& call, const GoogleApi& api,
                                       const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return RemoveAll(call, api, timing_, machine, settings);
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> GoogleDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const InstanceList list,
                      api->ListInstances(call, kOrchestratorLabel, orchestrator_id));
  if (!list.unreachable_zones.empty()) {
    return absl::UnavailableError(
        absl::StrCat("zone ", list.unreachable_zones.front(), " does not answer"));
  }
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Instance& each : list.instances) {
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(each.Label(kUidLabel));
    *instance.mutable_observation() = ObservationOf(each, settings);
  }
  return instances;
}

absl::StatusOr<std::string> GoogleDriver::UpgradeState(DriverCall& call,
                                                       const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::gce
