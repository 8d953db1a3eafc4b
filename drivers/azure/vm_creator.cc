#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/azure/azure_json.h"
#include "drivers/azure/catalog.h"
#include "drivers/azure/machine_vm.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::azure {
namespace {

constexpr int kSwarmPort = 3376;
// How often something is asked for that does not show although Azure says that it was made.
constexpr int kMaxRequests = 4;

bool IsUnderWay(absl::string_view state) {
  return !state.empty() && state != "Succeeded" && state != "Failed" && state != "Canceled";
}

}  // namespace

VmCreator::VmCreator(DriverCall& call, const AzureApi& api, const Timing& timing,
                     const MachineSpec& machine, const Settings& settings)
    : call_(call),
      api_(api),
      timing_(timing),
      machine_(machine),
      settings_(settings),
      names_(machine, settings),
      tags_(settings.tags) {
  tags_[kMachinesTag] = kTagged;
  tags_[kUidTag] = machine.uid;
  if (!call.orchestrator_id().empty()) tags_[kOrchestratorTag] = call.orchestrator_id();
}

absl::StatusOr<Observation> VmCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  DM_ASSIGN_OR_RETURN(const std::optional<VirtualMachine> before,
                      FindVm(call_, api_, machine_, names_));
  if (before.has_value()) DM_RETURN_IF_ERROR(CheckSame(*before));
  DM_RETURN_IF_ERROR(ChooseOnce());
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  DM_RETURN_IF_ERROR(common::Annotate(EnsureProviders(), "registering with Azure"));
  if (names_.own_group) {
    call_.Progress("Creating resource group...");
    DM_RETURN_IF_ERROR(common::Annotate(EnsureGroup(), "creating resource group"));
  }
  call_.Progress("Creating network...");
  DM_ASSIGN_OR_RETURN(const std::string interface_id, EnsureInterface());
  call_.Progress("Creating virtual machine...");
  DM_RETURN_IF_ERROR(EnsureVm(interface_id));
  call_.Progress("Waiting for the virtual machine to run...");
  DM_ASSIGN_OR_RETURN(const VirtualMachine vm, AwaitRunning());
  const auto addresses = [&]() -> absl::StatusOr<std::optional<Addresses>> {
    DM_ASSIGN_OR_RETURN(Addresses found, AddressesOf(call_, api_, names_));
    const bool all =
        !found.private_ip.empty() && (!settings_.public_ip || !found.public_ip.empty());
    return all ? std::make_optional(std::move(found)) : std::nullopt;
  };
  DM_ASSIGN_OR_RETURN(const Addresses found, Await<Addresses>(call_, timing_.poll, addresses));
  state_.set_public_ip(found.public_ip);
  state_.set_private_ip(found.private_ip);
  call_.Checkpoint(state_);
  Observation observation = ObservationOf(vm, found, settings_);
  SetState(state_, observation);
  return observation;
}

absl::Status VmCreator::EnsureProviders() {
  // New subscriptions have none.
  for (const absl::string_view provider : {"Microsoft.Compute", "Microsoft.Network"}) {
    absl::StatusOr<std::string> state = api_.RegistrationOf(call_, provider);
    // Credentials for one group only cannot look; then somebody else has done it.
    if (absl::IsPermissionDenied(state.status())) continue;
    if (!state.ok()) return state.status();
    if (*state == "Registered" || state->empty()) continue;
    DM_RETURN_IF_ERROR(call_.Check());
    DM_RETURN_IF_ERROR(api_.Register(call_, provider));
    const auto look = [&]() -> absl::StatusOr<std::optional<bool>> {
      DM_ASSIGN_OR_RETURN(const std::string now, api_.RegistrationOf(call_, provider));
      return now == "Registered" ? std::make_optional(true) : std::nullopt;
    };
    DM_RETURN_IF_ERROR(Await<bool>(call_, timing_.poll, look).status());
  }
  return absl::OkStatus();
}

absl::Status VmCreator::EnsureGroup() {
  const auto find = [&] { return api_.FindGroup(call_, names_.group); };
  DM_ASSIGN_OR_RETURN(const std::optional<Resource> found, find());
  if (found.has_value()) return absl::OkStatus();
  DM_RETURN_IF_ERROR(call_.Check());
  DM_RETURN_IF_ERROR(api_.PutGroup(call_, names_.group, settings_.location, tags_));
  return FindSettled<Resource>(call_, timing_.settling, find).status();
}

absl::StatusOr<Resource> VmCreator::Ensure(Kind kind, const std::string& name,
                                           absl::FunctionRef<Json()> body) {
  const auto look = [&] { return api_.Find(call_, kind, names_.group, name); };
  const auto settled = [&]() -> absl::StatusOr<std::optional<bool>> {
    DM_ASSIGN_OR_RETURN(const std::optional<Resource> now, look());
    return now.has_value() && IsUnderWay(now->provisioning_state) ? std::nullopt
                                                                  : std::make_optional(true);
  };
  absl::Status failure = absl::UnavailableError(absl::StrCat(name, " does not show yet"));
  for (int requests = 0; requests < kMaxRequests; ++requests) {
    // Once it was asked for it may take a while to show.
    DM_ASSIGN_OR_RETURN(
        std::optional<Resource> found,
        requests == 0 ? look() : FindSettled<Resource>(call_, timing_.settling, look));
    if (found.has_value() && found->Tag(kUidTag) != machine_.uid) {
      return InstanceDiffers(name, absl::StrCat("it is in resource group ", names_.group,
                                                " and does not belong to this machine"));
    }
    if (found.has_value() && IsUnderWay(found->provisioning_state)) {
      DM_RETURN_IF_ERROR(Await<bool>(call_, timing_.poll, settled).status());
      DM_ASSIGN_OR_RETURN(found, look());
    }
    if (found.has_value() && found->provisioning_state != "Failed") return *std::move(found);
    DM_RETURN_IF_ERROR(call_.Check());
    const absl::StatusOr<Operation> begun = api_.Put(call_, kind, names_.group, name, body());
    const absl::Status made =
        begun.ok() ? AwaitOperation(call_, api_, timing_, *begun) : begun.status();
    if (made.ok()) continue;
    // A group that was just made may be unknown to a provider for a while.
    const bool passes = IsTransient(made) || MayHaveHappened(made) || absl::IsNotFound(made);
    if (!passes) return made;
    failure = made;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call_, timing_.settling.backoff, requests + 1, made));
  }
  return failure;
}

absl::Status VmCreator::ChooseOnce() {
  if (!state_.image().empty() && !state_.size().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const Choice choice, Choose(call_, api_, settings_));
  state_.set_image(choice.image.Text());
  state_.set_size(choice.size);
  return absl::OkStatus();
}

absl::StatusOr<std::string> VmCreator::EnsureSubnet() {
  std::string network_id = api_.PathOf(Kind::kNetwork, settings_.network_group, settings_.network);
  if (settings_.network.empty()) {
    const auto body = [&] {
      return BodyOf(
          NetworkSpec{settings_.location, tags_, settings_.subnet_prefix, settings_.subnet});
    };
    DM_RETURN_IF_ERROR(common::Annotate(Ensure(Kind::kNetwork, names_.network, body).status(),
                                        "creating virtual network"));
    network_id = api_.PathOf(Kind::kNetwork, names_.group, names_.network);
  }
  return absl::StrCat(network_id, "/subnets/", settings_.subnet);
}

absl::StatusOr<std::string> VmCreator::EnsureInterface() {
  const auto firewall = [&] {
    SecurityGroupSpec spec = {
        .location = settings_.location,
        .tags = tags_,
        .ports = {absl::StrCat(settings_.ssh_port, "/Tcp"),
                  absl::StrCat(settings_.docker_port, "/Tcp"), absl::StrCat(kSwarmPort, "/Tcp")},
        .cidrs = settings_.open_cidrs};
    spec.ports.insert(spec.ports.end(), settings_.open_ports.begin(), settings_.open_ports.end());
    return BodyOf(spec);
  };
  // Before the machine, so that it is never open to others.
  DM_RETURN_IF_ERROR(
      common::Annotate(Ensure(Kind::kSecurityGroup, names_.security_group, firewall).status(),
                       "creating network security group"));
  InterfaceSpec spec = {
      .location = settings_.location,
      .tags = tags_,
      .subnet_id = "",
      .security_group_id = api_.PathOf(Kind::kSecurityGroup, names_.group, names_.security_group),
      .public_address_id = "",
      .private_ip = settings_.private_ip};
  DM_ASSIGN_OR_RETURN(spec.subnet_id, EnsureSubnet());
  if (settings_.public_ip) {
    const auto address = [&] {
      return BodyOf(
          PublicAddressSpec{settings_.location, tags_, settings_.dns_label, settings_.zone});
    };
    DM_RETURN_IF_ERROR(
        common::Annotate(Ensure(Kind::kPublicAddress, names_.public_address, address).status(),
                         "creating public address"));
    spec.public_address_id = api_.PathOf(Kind::kPublicAddress, names_.group, names_.public_address);
  }
  DM_RETURN_IF_ERROR(common::Annotate(
      Ensure(Kind::kInterface, names_.interface, [&] { return BodyOf(spec); }).status(),
      "creating network interface"));
  return api_.PathOf(Kind::kInterface, names_.group, names_.interface);
}

absl::Status VmCreator::EnsureVm(const std::string& interface_id) {
  DM_ASSIGN_OR_RETURN(ImageName image, ReadImage(state_.image()));
  const auto body = [&] {
    return BodyOf(MachineSpecification{.location = settings_.location,
                                       .tags = tags_,
                                       .zone = settings_.zone,
                                       .size = state_.size(),
                                       .image = image,
                                       .disk_name = names_.disk,
                                       .disk_type = settings_.disk_type,
                                       .disk_gb = settings_.disk_gb,
                                       .interface_id = interface_id,
                                       .host_name = HostName(machine_.name),
                                       .username = settings_.username,
                                       .ssh_public_key = machine_.ssh_public_key,
                                       .password = settings_.password,
                                       .custom_data = settings_.custom_data});
  };
  const auto made = Ensure(Kind::kMachine, names_.vm, body);
  if (!made.ok()) return common::Annotate(made.status(), "creating virtual machine");
  return CheckSame(MachineOf(made->json));
}

absl::StatusOr<VirtualMachine> VmCreator::AwaitRunning() {
  return Await<VirtualMachine>(
      call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<VirtualMachine>> {
        DM_ASSIGN_OR_RETURN(std::optional<VirtualMachine> vm,
                            FindVm(call_, api_, machine_, names_));
        if (!vm.has_value()) {
          return InstanceGone(
              absl::StrCat("virtual machine ", names_.vm, " is gone before it ran"));
        }
        const MachineState state = StateOfMachine(*vm);
        if (state == machine::v1::MACHINE_STATE_RUNNING) return vm;
        if (state == machine::v1::MACHINE_STATE_ERROR) {
          return absl::FailedPreconditionError(
              absl::StrCat("virtual machine ", names_.vm, " has failed at Azure"));
        }
        // Stopped by whoever saw an earlier attempt.
        if (state == machine::v1::MACHINE_STATE_STOPPED) {
          DM_RETURN_IF_ERROR(call_.Check());
          DM_ASSIGN_OR_RETURN(const Operation begun, api_.Act(call_, vm->group, vm->name, "start"));
          DM_RETURN_IF_ERROR(AwaitOperation(call_, api_, timing_, begun));
        }
        return std::nullopt;
      });
}

absl::Status VmCreator::CheckSame(const VirtualMachine& vm) const {
  if (LocationName(vm.location) != settings_.location) {
    return InstanceDiffers(vm.name, absl::StrCat("it is in location ", vm.location));
  }
  if (!settings_.size.empty() && !absl::EqualsIgnoreCase(vm.size, settings_.size)) {
    return InstanceDiffers(vm.name, absl::StrCat("its size is ", vm.size));
  }
  if (!settings_.zone.empty() && vm.zone != settings_.zone) {
    return InstanceDiffers(vm.name, absl::StrCat("it is in zone \"", vm.zone, "\""));
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::azure
