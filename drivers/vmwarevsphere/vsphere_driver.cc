#include "drivers/vmwarevsphere/vsphere_driver.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/instance_driver.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevsphere/content_library.h"
#include "drivers/vmwarevsphere/inventory.h"
#include "drivers/vmwarevsphere/settings.h"
#include "drivers/vmwarevsphere/vm_creator.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

// What a task may take at the server before something is wrong there.
constexpr absl::Duration kTaskLimit = absl::Minutes(5);

// By the ids in the states in one call; those that are not found so one by one.
absl::StatusOr<std::vector<Observation>> InspectAll(DriverCall& call, VimClient& client,
                                                    const AccountMachines& machines) {
  std::vector<State> states(machines.size());
  std::vector<Ref> refs;
  for (size_t i = 0; i < machines.size(); ++i) {
    DM_RETURN_IF_ERROR(machines[i]->ParseState(states[i]));
    if (!states[i].vm().empty()) refs.push_back({"VirtualMachine", states[i].vm()});
  }
  DM_ASSIGN_OR_RETURN(const std::vector<Properties> found,
                      client.Retrieve(call, "VirtualMachine", refs, LookPaths()));
  std::map<std::string, const Properties*> by_uid;
  for (const Properties& vm : found) by_uid.emplace(vm.Text("config.instanceUuid"), &vm);

  std::vector<Observation> observations;
  for (size_t i = 0; i < machines.size(); ++i) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machines[i]->options));
    if (const auto it = by_uid.find(machines[i]->uid); it != by_uid.end()) {
      observations.push_back(ObservationOf(*it->second, settings));
      continue;
    }
    absl::StatusOr<std::optional<Properties>> vm = FindVm(call, client, *machines[i], states[i]);
    if (!vm.ok()) {
      // One that is still being made is no reason to know nothing of the others.
      if (!IsTransient(vm.status())) return vm.status();
      observations.emplace_back().set_state(machine::v1::MACHINE_STATE_TIMEOUT);
      continue;
    }
    observations.push_back(vm->has_value() ? ObservationOf(**vm, settings) : NotFoundObservation());
  }
  return observations;
}

}  // namespace

DriverInfo VsphereDriver::info() const {
  return CloudDriverInfo("vmwarevsphere", absl::Minutes(5));
}

Flags VsphereDriver::flags() const { return VsphereFlags(); }

absl::Status VsphereDriver::Init(const DriverEnvironment& environment) {
  http_ = std::make_unique<common::HttpClient>();
  if (!environment.data_dir.empty()) {
    images_ = std::make_unique<hypervisor::ImageStore>(host_, environment.data_dir + "/cache");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<VimClient>> VsphereDriver::AccountOf(const Options& options) {
  DM_ASSIGN_OR_RETURN(Credentials credentials, ReadCredentials(options));
  const std::string identity =
      absl::StrCat(credentials.host, "\n", credentials.port, "\n", credentials.username, "\n",
                   credentials.password, "\n", credentials.thumbprint, "\n", credentials.ca_pem);
  return accounts_.Of(identity, [&] {
    return std::make_shared<VimClient>(*http_, std::move(credentials), timing_.retry);
  });
}

absl::Status VsphereDriver::Validate(Options& options) const {
  DM_RETURN_IF_ERROR(ReadCredentials(options).status());
  return ReadSettings(options).status();
}

absl::Status VsphereDriver::CheckAtServer(DriverCall& call, VimClient& client,
                                          const MachineSpec& machine, const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const Inventory inventory, Inventory::Read(call, client, settings));
  DM_ASSIGN_OR_RETURN(const Place place, inventory.Choose(call, client, settings));
  if (!settings.library_item.empty()) {
    DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
    if (!service.is_vcenter) {
      return PreCreateCheckFailed(
          absl::StrCat("--", kLibraryFlag, ": only a vCenter has content libraries"));
    }
    DM_RETURN_IF_ERROR(
        ContentLibrary(call, client, timing_.retry).FindItem(settings.library_item).status());
  }
  DM_ASSIGN_OR_RETURN(const Ref taken, FindByPath(call, client, place.folder.path, machine.name));
  if (taken.empty()) return absl::OkStatus();
  if (taken.type == "VirtualMachine") {
    DM_ASSIGN_OR_RETURN(const Properties vm,
                        client.RetrieveOne(call, taken, {"config.instanceUuid"}));
    if (vm.Text("config.instanceUuid") == machine.uid) return absl::OkStatus();
  }
  return PreCreateCheckFailed(
      absl::StrCat(place.folder.path, " has something of the name ", machine.name,
                   " already; take another name, or another --", kFolderFlag));
}

absl::Status VsphereDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(machine.options));
  if (!settings.iso_url.empty()) {
    call.Warning(absl::StrCat("--", kIsoFlag,
                              ": boot2docker is no longer maintained; its last engine is 19.03.12. "
                              "Clone a template by --",
                              kCloneFromFlag, " instead"));
  }
  absl::Status status = client->LogIn(call);
  if (status.ok()) status = CheckAtServer(call, *client, machine, settings);
  return ExplainCheck(status, absl::StrCat("--", kUsernameFlag, ", --", kPasswordFlag),
                      absl::StrCat("--", kVcenterFlag,
                                   ": give its authority by --vmwarevsphere-ca, or its "
                                   "certificate's --",
                                   kThumbprintFlag));
}

absl::StatusOr<Observation> VsphereDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(machine.options));
  return VmCreator(call, *client, images_.get(), timing_, machine, std::move(settings)).Run();
}

absl::StatusOr<Observation> VsphereDriver::Bring(DriverCall& call, const MachineSpec& machine,
                                                 absl::string_view power, absl::string_view method,
                                                 absl::Duration grace) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Properties vm, BringTo(call, *client, machine, power, method, grace));
  return ObservationOf(vm, settings);
}

absl::StatusOr<Observation> VsphereDriver::Start(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering on virtual machine...");
  return Bring(call, machine, "poweredOn", "PowerOnVM_Task", kTaskLimit);
}

absl::StatusOr<Observation> VsphereDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                                std::optional<absl::Duration> grace) {
  call.Progress("Shutting down guest...");
  return Bring(call, machine, "poweredOff", "ShutdownGuest", grace.value_or(timing_.grace));
}

absl::StatusOr<Observation> VsphereDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Powering off virtual machine...");
  return Bring(call, machine, "poweredOff", "PowerOffVM_Task", kTaskLimit);
}

absl::StatusOr<Observation> VsphereDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  call.Progress("Restarting virtual machine...");
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(machine.options));
  DM_ASSIGN_OR_RETURN(const Properties vm, RequireVm(call, *client, machine));
  if (vm.Text("runtime.powerState") == "poweredOn") {
    absl::Status status = client->Call(call, vm.ref, "RebootGuest", "").status();
    if (FaultOf(status) == "ToolsUnavailable") {
      // Nobody in the guest can be asked.
      status = client->RunTask(call, vm.ref, "ResetVM_Task", "").status();
    }
    if (FaultOf(status) != "InvalidPowerState") DM_RETURN_IF_ERROR(status);
  }
  return Bring(call, machine, "poweredOn", "PowerOnVM_Task", kTaskLimit);
}

absl::Status VsphereDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(machine.options));
  call.Progress("Removing virtual machine...");
  return RemoveAll(call, *client, timing_, machine);
}

absl::StatusOr<Observation> VsphereDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(machine.options));
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  DM_ASSIGN_OR_RETURN(const std::optional<Properties> vm, FindVm(call, *client, machine, state));
  return vm.has_value() ? ObservationOf(*vm, settings) : NotFoundObservation();
}

absl::StatusOr<std::vector<Observation>> VsphereDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  return InspectByAccount<VimClient>(
      machines, [&](const MachineSpec& machine) { return AccountOf(machine.options); },
      [&](VimClient& client, const AccountMachines& share) {
        return InspectAll(call, client, share);
      });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> VsphereDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(options));
  DM_ASSIGN_OR_RETURN(const auto client, AccountOf(options));
  DM_ASSIGN_OR_RETURN(const Node datacenter, ChooseDatacenter(call, *client, settings));
  std::vector<std::string> paths = LookPaths();
  paths.emplace_back("config.extraConfig");
  DM_ASSIGN_OR_RETURN(
      const std::vector<Properties> all,
      client->RetrieveBelow(call, datacenter.ref, {{"VirtualMachine", std::move(paths)}}));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const Properties& vm : all) {
    if (ExtraConfigOf(vm, kOrchestratorKey) != orchestrator_id) continue;
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(ExtraConfigOf(vm, kUidKey));
    *instance.mutable_observation() = ObservationOf(vm, settings);
  }
  return instances;
}

absl::StatusOr<std::string> VsphereDriver::UpgradeState(DriverCall& call,
                                                        const MachineSpec& machine) {
  if (machine.state_version != kImportedStateVersion) return Driver::UpgradeState(call, machine);
  DM_ASSIGN_OR_RETURN(const State state, ImportedState(machine.state.value_or("")));
  return state.SerializeAsString();
}

}  // namespace machine::driver::vmwarevsphere
