#include "drivers/azure/azure_driver.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "drivers/azure/catalog.h"
#include "drivers/azure/flags.h"
#include "drivers/azure/settings.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

// Machines of a batch that are asked for one by one when the list lacks them, or their state their
// addresses.
constexpr size_t kMaxSingleLooks = 20;

void WarnOf(DriverCall& call, const Options& options, const Settings& settings) {
  const std::string& size = options.GetString(kSizeFlag);
  if (!size.empty() && size != settings.size) {
    call.Warning(absl::StrCat("--", kSizeFlag, ": ", size,
                              " is of classic deployments; the machine gets ", settings.size));
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

absl::Status CheckSubscription(DriverCall& call, const AzureApi& api,
                               const Credentials& credentials) {
  const absl::StatusOr<std::string> state = api.SubscriptionState(call);
  if (absl::IsUnauthenticated(state.status())) {
    const absl::string_view flag = !credentials.token.empty()           ? kTokenFlag
                                   : credentials.managed_identity       ? kManagedIdentityFlag
                                   : !credentials.certificate.empty()   ? kCertificateFlag
                                   : !credentials.client_secret.empty() ? kClientSecretFlag
                                                                        : "";
    return flag.empty() ? state.status()
                        : common::Annotate(state.status(), absl::StrCat("--", flag));
  }
  if (absl::IsNotFound(state.status()) || absl::IsPermissionDenied(state.status())) {
    return PreCreateCheckFailed(absl::StrCat("--", kSubscriptionFlag, ": ", api.subscription(),
                                             " is not there, or these credentials have no role "
                                             "in it. ",
                                             state.status().message()));
  }
  if (!state.ok()) return AsCheck(state.status());
  if (state->empty() || *state == "Enabled" || *state == "Warned" || *state == "PastDue") {
    return absl::OkStatus();
  }
  return PreCreateCheckFailed(absl::StrCat("--", kSubscriptionFlag, ": subscription ",
                                           api.subscription(), " is ",
                                           absl::AsciiStrToLower(*state)));
}

std::string KeyOf(absl::string_view group, absl::string_view name) {
  return absl::AsciiStrToLower(absl::StrCat(group, "/", name));
}

}  // namespace

DriverInfo AzureDriver::info() const { return CloudDriverInfo("azure", absl::Minutes(5)); }

Flags AzureDriver::flags() const { return AzureFlags(); }

absl::Status AzureDriver::Init(const DriverEnvironment&) {
  http_ = std::make_unique<common::HttpClient>();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<AzureApi>> AzureDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options));
  const std::string identity = absl::StrCat(
      credentials.endpoint, "\n", credentials.authority, "\n", credentials.subscription, "\n",
      credentials.tenant, "\n", credentials.client_id, "\n", credentials.token, "\n",
      credentials.client_secret, "\n", credentials.managed_identity, "\n", credentials.certificate);
  return accounts_.Of(identity, [&] {
    return std::make_shared<AzureApi>(*http_, credentials.endpoint, credentials.subscription,
                                      TokensFor(*http_, credentials, surroundings_), timing_.retry);
  });
}

absl::Status AzureDriver::Validate(Options& options) const {
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(options));
  if (!credentials.certificate.empty()) {
    const absl::Status parsed = ParseClientCertificate(credentials.certificate).status();
    if (!parsed.ok()) return BadOption(kCertificateFlag, parsed.message());
  }
  return ReadSettings(options).status();
}

absl::Status AzureDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckRetiredValues(machine.options));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  WarnOf(call, machine.options, settings);
  DM_RETURN_IF_ERROR(CheckSubscription(call, *api, credentials));
  const absl::StatusOr<Choice> choice = CheckSettings(call, *api, settings);
  if (!choice.ok()) return AsCheck(choice.status());
  if (choice->memory_gib < 1) {
    call.Warning(absl::StrCat("--", kSizeFlag, ": ", choice->size,
                              " has less than 1 GiB of memory, which an engine hardly runs in"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Observation> AzureDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(machine.options));
  return VmCreator(call, *api, timing_, machine, settings).Run();
}

absl::StatusOr<std::optional<VirtualMachine>> AzureDriver::Find(DriverCall& call,
                                                                const AzureApi& api,
                                                                const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return FindVm(call, api, machine, Names(machine, settings));
}

MachineState AzureDriver::StateIn(const VirtualMachine& vm) const { return StateOfMachine(vm); }

bool AzureDriver::IsThere(const VirtualMachine& vm, MachineState wanted,
                          absl::string_view action) const {
  // One that is off but not deallocated costs as much as one that runs.
  return action == kDeallocate ? IsDeallocated(vm) : StateIn(vm) == wanted;
}

bool AzureDriver::IsBusy(const VirtualMachine& vm, MachineState wanted) const {
  // What is under way cannot be turned back.
  const MachineState state = StateIn(vm);
  return state == machine::v1::MACHINE_STATE_STOPPING ||
         (state == machine::v1::MACHINE_STATE_STARTING &&
          wanted == machine::v1::MACHINE_STATE_RUNNING);
}

absl::StatusOr<PendingAction> AzureDriver::Act(DriverCall& call, const AzureApi& api,
                                               const VirtualMachine& vm, absl::string_view action,
                                               int) {
  DM_ASSIGN_OR_RETURN(const Operation begun, api.Act(call, vm.group, vm.name, action));
  return Following(call, api, timing_, begun);
}

absl::StatusOr<Observation> AzureDriver::Observe(DriverCall& call, const AzureApi& api,
                                                 const MachineSpec& machine,
                                                 const VirtualMachine& vm) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  Addresses addresses = {state.public_ip(), state.private_ip()};
  if (addresses.private_ip.empty()) {
    DM_ASSIGN_OR_RETURN(addresses, AddressesOf(call, api, Names(machine, settings)));
  }
  return ObservationOf(vm, addresses, settings);
}

absl::StatusOr<std::vector<Observation>> AzureDriver::InspectAll(DriverCall& call,
                                                                 const AzureApi& api,
                                                                 const AccountMachines& machines) {
  DM_ASSIGN_OR_RETURN(const std::vector<VirtualMachine> listed,
                      api.ListMachines(call, AzureApi::View::kPower));
  std::map<std::string, const VirtualMachine*> by_name;
  for (const VirtualMachine& vm : listed) by_name.emplace(KeyOf(vm.group, vm.name), &vm);
  size_t single_looks = 0;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine->options));
    const Names names(*machine, settings);
    State state;
    DM_RETURN_IF_ERROR(machine->ParseState(state));
    const Addresses addresses = {state.public_ip(), state.private_ip()};
    const auto entry = by_name.find(KeyOf(names.group, names.vm));
    std::optional<VirtualMachine> vm;
    if (entry != by_name.end()) {
      vm = *entry->second;
    } else if (single_looks++ < kMaxSingleLooks) {
      // Pages shift while they are read, and lists lag: absence is worth another look.
      DM_ASSIGN_OR_RETURN(vm, FindVm(call, api, *machine, names));
    }
    if (!vm.has_value()) {
      observations.push_back(NotFoundObservation());
    } else if (addresses.private_ip.empty() && single_looks++ < kMaxSingleLooks) {
      DM_ASSIGN_OR_RETURN(observations.emplace_back(), Observe(call, api, *machine, *vm));
    } else {
      observations.push_back(ObservationOf(*vm, addresses, settings));
    }
  }
  return observations;
}

absl::Status AzureDriver::RemoveAllOf(DriverCall& call, const AzureApi& api,
                                      const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  return RemoveAll(call, api, timing_, machine, settings);
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> AzureDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto api, AccountOf(options));
  // One list has the tags, the other the power states.
  DM_ASSIGN_OR_RETURN(const std::vector<VirtualMachine> models,
                      api->ListMachines(call, AzureApi::View::kModel));
  DM_ASSIGN_OR_RETURN(const std::vector<VirtualMachine> powers,
                      api->ListMachines(call, AzureApi::View::kPower));
  std::map<std::string, std::string> power_of;
  for (const VirtualMachine& vm : powers) {
    power_of.emplace(KeyOf(vm.group, vm.name), vm.power_state);
  }
  std::vector<::driver::v1::ListInstancesResponse> instances;
  std::set<std::string> with_vm;
  for (VirtualMachine vm : models) {
    const auto owner = vm.tags.find(kOrchestratorTag);
    if (owner == vm.tags.end() || owner->second != orchestrator_id) continue;
    const auto power = power_of.find(KeyOf(vm.group, vm.name));
    if (power != power_of.end()) vm.power_state = power->second;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(vm.tags[kUidTag]);
    with_vm.insert(vm.tags[kUidTag]);
    *instance.mutable_observation() = ObservationOf(vm, Addresses(), settings);
  }
  // Of a create that never got as far as the virtual machine its resource group is left.
  DM_ASSIGN_OR_RETURN(const std::vector<Resource> groups,
                      api->ListGroups(call, kOrchestratorTag, orchestrator_id));
  for (const Resource& group : groups) {
    const std::optional<std::string> uid = UidOfTag(group.name);
    if (!uid.has_value() || *uid != group.Tag(kUidTag) || with_vm.contains(*uid)) continue;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(*uid);
    instance.mutable_observation()->set_instance_id(group.name);
    instance.mutable_observation()->set_state(group.provisioning_state == "Deleting"
                                                  ? machine::v1::MACHINE_STATE_REMOVING
                                                  : machine::v1::MACHINE_STATE_ERROR);
  }
  return instances;
}

absl::StatusOr<std::string> AzureDriver::UpgradeState(DriverCall& call,
                                                      const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::azure
