#include "drivers/azure/machine_vm.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

// https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
constexpr size_t kMaxVmNameBytes = 64;
constexpr size_t kUidBytes = 8;

// https://learn.microsoft.com/azure/virtual-machines/states-billing
constexpr StateWord kStates[] = {
    {"PowerState/starting", machine::v1::MACHINE_STATE_STARTING},
    {"PowerState/running", machine::v1::MACHINE_STATE_RUNNING},
    {"PowerState/stopping", machine::v1::MACHINE_STATE_STOPPING},
    {"PowerState/stopped", machine::v1::MACHINE_STATE_STOPPED},
    {"PowerState/deallocating", machine::v1::MACHINE_STATE_STOPPING},
    {"PowerState/deallocated", machine::v1::MACHINE_STATE_STOPPED},
    {"ProvisioningState/creating", machine::v1::MACHINE_STATE_STARTING},
    {"ProvisioningState/failed", machine::v1::MACHINE_STATE_ERROR},
    {"ProvisioningState/deleting", machine::v1::MACHINE_STATE_REMOVING},
};

// Deletes a part of the machine that is in the user's group, and waits until it is gone.
absl::Status DeletePart(DriverCall& call, const AzureApi& api, const Timing& timing, Kind kind,
                        const Names& names, const std::string& name, absl::string_view uid) {
  if (name.empty()) return absl::OkStatus();
  const std::string& group = names.group;
  const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
    DM_ASSIGN_OR_RETURN(const std::optional<Resource> found, api.Find(call, kind, group, name));
    // The name alone proves nothing; disks have no tags, and the whole uid in their name.
    const bool ours =
        found.has_value() && (kind == Kind::kDisk || names.imported || found->Tag(kUidTag) == uid);
    if (!ours) return true;
    if (found->provisioning_state == "Deleting") return std::nullopt;
    DM_RETURN_IF_ERROR(call.Check());
    DM_ASSIGN_OR_RETURN(const Operation begun, api.Delete(call, kind, group, name));
    DM_RETURN_IF_ERROR(AwaitOperation(call, api, timing, begun));
    return std::nullopt;
  };
  return common::Annotate(Await<bool>(call, timing.poll, look).status(),
                          absl::StrCat("deleting ", name));
}

absl::Status DeleteOwnGroup(DriverCall& call, const AzureApi& api, const Timing& timing,
                            const std::string& group) {
  const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
    DM_ASSIGN_OR_RETURN(const std::optional<Resource> found, api.FindGroup(call, group));
    if (!found.has_value()) return true;
    if (found->provisioning_state == "Deleting") return std::nullopt;
    DM_RETURN_IF_ERROR(call.Check());
    DM_ASSIGN_OR_RETURN(const Operation begun, api.DeleteGroup(call, group));
    DM_RETURN_IF_ERROR(AwaitOperation(call, api, timing, begun));
    return std::nullopt;
  };
  return common::Annotate(Await<bool>(call, timing.poll, look).status(),
                          absl::StrCat("deleting resource group ", group));
}

}  // namespace

Names::Names(const MachineSpec& machine, const Settings& settings)
    : group(settings.resource_group.empty() ? UidTag(machine.uid) : settings.resource_group),
      own_group(settings.resource_group.empty()),
      vm(absl::StrCat(HostName(machine.name, kMaxVmNameBytes - kUidBytes - 1), "-",
                      machine.uid.substr(0, kUidBytes))),
      disk(absl::StrCat(UidTag(machine.uid), "-disk")),
      interface(absl::StrCat(UidTag(machine.uid), "-nic")),
      public_address(absl::StrCat(UidTag(machine.uid), "-ip")),
      security_group(absl::StrCat(UidTag(machine.uid), "-nsg")),
      network(absl::StrCat(UidTag(machine.uid), "-vnet")) {
  State state;
  if (!machine.ParseState(state).ok() || state.imported_vm().empty()) return;
  // As docker-machine 0.16 named them; its networks are shared by all of a group.
  imported = true;
  vm = state.imported_vm();
  own_group = false;
  disk.clear();
  interface = absl::StrCat(vm, "-nic");
  public_address = absl::StrCat(vm, "-ip");
  security_group = absl::StrCat(vm, "-firewall");
  network.clear();
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const Json fields = ParseJson(driver_json);
  State state;
  state.set_imported_vm(Text(fields, "MachineName"));
  if (!state.imported_vm().empty() && !Text(fields, "ResourceGroup").empty()) return state;
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_INSTANCE_GONE,
                       "the imported config.json names no resource group with a virtual machine: "
                       "classic ones are gone since 2023-09-06");
}

bool IsDeallocated(const VirtualMachine& vm) { return vm.power_state == "PowerState/deallocated"; }

MachineState StateOfMachine(const VirtualMachine& vm) {
  const std::string word =
      absl::StrCat("ProvisioningState/", absl::AsciiStrToLower(vm.provisioning_state));
  const MachineState provisioning = StateOf(kStates, word);
  // Power tells nothing about one that is on its way out.
  if (vm.power_state.empty() || provisioning == machine::v1::MACHINE_STATE_REMOVING) {
    return provisioning;
  }
  return StateOf(kStates, vm.power_state);
}

Observation ObservationOf(const VirtualMachine& vm, const Addresses& addresses,
                          const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfMachine(vm));
  observation.set_instance_id(vm.name);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  // The first one is the one to use.
  std::vector<std::string> all = {addresses.public_ip, addresses.private_ip};
  if (settings.use_private_ip) std::reverse(all.begin(), all.end());
  for (const std::string& address : all) {
    if (!address.empty()) endpoint.add_ip_addresses(address);
  }
  endpoint.set_ssh_port(settings.ssh_port);
  endpoint.set_ssh_user(settings.username);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(
        absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", settings.docker_port));
  }
  return observation;
}

absl::StatusOr<Addresses> AddressesOf(const common::CallScope& call, const AzureApi& api,
                                      const Names& names) {
  Addresses addresses;
  DM_ASSIGN_OR_RETURN(const std::optional<Resource> interface,
                      api.Find(call, Kind::kInterface, names.group, names.interface));
  if (!interface.has_value()) return addresses;
  bool has_public = false;
  for (const Json& each : Elements(Member(interface->json, "properties"), "ipConfigurations")) {
    const Json& properties = Member(each, "properties");
    addresses.private_ip = Text(properties, "privateIPAddress");
    has_public = Member(properties, "publicIPAddress").is_object();
  }
  if (!has_public) return addresses;
  DM_ASSIGN_OR_RETURN(const std::optional<Resource> address,
                      api.Find(call, Kind::kPublicAddress, names.group, names.public_address));
  if (address.has_value()) {
    addresses.public_ip = Text(Member(address->json, "properties"), "ipAddress");
  }
  return addresses;
}

absl::StatusOr<std::optional<VirtualMachine>> FindVm(const common::CallScope& call,
                                                     const AzureApi& api,
                                                     const MachineSpec& machine,
                                                     const Names& names) {
  DM_ASSIGN_OR_RETURN(std::optional<VirtualMachine> vm,
                      api.FindMachine(call, names.group, names.vm));
  // A name alone proves nothing.
  if (vm.has_value() && !names.imported) {
    const auto uid = vm->tags.find(kUidTag);
    if (uid == vm->tags.end() || uid->second != machine.uid) vm.reset();
  }
  return vm;
}

PendingAction Following(const common::CallScope& call, const AzureApi& api, const Timing& timing,
                        Operation operation) {
  return [&call, &api, looks = timing.settling.looks, first = true,
          operation = std::move(operation)]() mutable -> absl::StatusOr<bool> {
    if (operation.done) return true;
    const auto pause = [&] {
      return common::WithRetryDelay(absl::UnavailableError("the operation is under way"),
                                    operation.retry_after);
    };
    // As the answer to the request itself asks for.
    if (std::exchange(first, false) && operation.retry_after > absl::ZeroDuration()) return pause();
    absl::StatusOr<Operation> now = api.Advance(call, operation);
    // What was just begun may take a while to show.
    if (absl::IsNotFound(now.status()) && --looks > 0) return false;
    if (!now.ok()) return now.status();
    operation = *std::move(now);
    if (!operation.done && operation.retry_after > absl::ZeroDuration()) return pause();
    return operation.done;
  };
}

absl::Status AwaitOperation(const common::CallScope& call, const AzureApi& api,
                            const Timing& timing, const Operation& operation) {
  return AwaitEnd(call, timing.poll, Following(call, api, timing, operation));
}

absl::Status RemoveAll(DriverCall& call, const AzureApi& api, const Timing& timing,
                       const MachineSpec& machine, const Settings& settings) {
  Names names(machine, settings);
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (names.own_group) {
    // One that was asked for by a create that never ended may still appear.
    if (state.create_requested() && state.private_ip().empty()) {
      DM_RETURN_IF_ERROR(FindSettled<Resource>(call, timing.settling, [&] {
                           return api.FindGroup(call, names.group);
                         }).status());
    }
    return DeleteOwnGroup(call, api, timing, names.group);
  }
  if (state.create_requested() && state.private_ip().empty()) {
    DM_RETURN_IF_ERROR(FindSettled<VirtualMachine>(call, timing.settling, [&] {
                         return FindVm(call, api, machine, names);
                       }).status());
  }
  if (names.imported) {
    DM_ASSIGN_OR_RETURN(const std::optional<Resource> vm,
                        api.Find(call, Kind::kMachine, names.group, names.vm));
    if (vm.has_value()) {
      const Json& storage = Member(Member(vm->json, "properties"), "storageProfile");
      const Json& disk = Member(storage, "osDisk");
      if (!Member(disk, "managedDisk").is_null()) names.disk = Text(disk, "name");
    }
  }
  // Each before what it uses.
  const std::pair<Kind, const std::string*> parts[] = {
      {Kind::kMachine, &names.vm},
      {Kind::kInterface, &names.interface},
      {Kind::kPublicAddress, &names.public_address},
      {Kind::kSecurityGroup, &names.security_group},
      {Kind::kNetwork, &names.network},
      {Kind::kDisk, &names.disk},
  };
  for (const auto& [kind, name] : parts) {
    DM_RETURN_IF_ERROR(DeletePart(call, api, timing, kind, names, *name, machine.uid));
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::azure
