#include "drivers/virtualbox/virtualbox_driver.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/sdk/host_port.h"
#include "drivers/virtualbox/host_network.h"
#include "drivers/virtualbox/vm_maker.h"
#include "services/common/status/status.h"

namespace machine::driver::virtualbox {
namespace {

// The first boot of a cloud image.
constexpr absl::Duration kSshTimeout = absl::Minutes(5);
constexpr absl::Duration kAddressPoll = absl::Seconds(1);
constexpr int kSshPort = 22;
constexpr int kEnginePort = 2376;
constexpr char kLoopback[] = "127.0.0.1";

bool IsUp(MachineState state) {
  return state == machine::v1::MACHINE_STATE_RUNNING || state == machine::v1::MACHINE_STATE_PAUSED;
}

// Lines such as "Processor supports HW virtualization: no", by version with a number in it.
absl::Status CheckVirtualizes(DriverCall& call, VBoxManage& vbox) {
  DM_ASSIGN_OR_RETURN(const std::string text, vbox.Read(call, {"list", "hostinfo"}));
  for (const Fields& fields : ParseGroups(text)) {
    for (const auto& [key, value] : fields) {
      if (!absl::EndsWith(key, "supports HW virtualization") || value != "no") continue;
      return PreCreateCheckFailed(
          absl::StrCat("the CPU of ", vbox.host().name(),
                       " does not virtualize: enable VT-x or AMD-V in its firmware, or skip this "
                       "check by --",
                       kNoVtxCheckFlag));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHostIsKnown(DriverCall& call, VBoxManage& vbox, const Settings& settings) {
  DM_ASSIGN_OR_RETURN(const std::string text,
                      hypervisor::RunTool(vbox.host(), call, {"uname", "-sm"}));
  if (absl::StrContains(text, "arm64") || absl::StrContains(text, "aarch64")) {
    return PreCreateCheckFailed(
        absl::StrCat(vbox.host().name(),
                     " is an ARM host, whose VirtualBox runs no x86 machines: use --driver "
                     "vmwarefusion or qemu there"));
  }
  if (absl::StrContains(text, "Darwin") && settings.host_only) {
    DM_ASSIGN_OR_RETURN(const Version version, vbox.GetVersion(call));
    if (version.AtLeast(7, 0)) {
      return PreCreateCheckFailed(
          "VirtualBox 7 on macOS has no host-only adapters: use --virtualbox-network nat");
    }
  }
  return absl::OkStatus();
}

}  // namespace

DriverInfo VirtualboxDriver::info() const {
  DriverInfo info;
  info.name = "virtualbox";
  info.capabilities = {
      ::driver::v1::CAPABILITY_POWER,
      ::driver::v1::CAPABILITY_KILL,
      ::driver::v1::CAPABILITY_RESTART,
      ::driver::v1::CAPABILITY_LIST_INSTANCES,
  };
  info.ssh_timeout = kSshTimeout;
  return info;
}

Flags VirtualboxDriver::flags() const { return VirtualboxFlags(); }

absl::Status VirtualboxDriver::Init(const DriverEnvironment& environment) {
  folder_ = environment.data_dir;
  return absl::OkStatus();
}

absl::Status VirtualboxDriver::Validate(Options& options) const {
  return ReadSettings(options).status();
}

absl::StatusOr<VirtualboxDriver::Host*> VirtualboxDriver::HostOf(DriverCall& call,
                                                                 const Settings& settings,
                                                                 const std::string& agent_socket) {
  hypervisor::ToolHost& tools = tools_.Get(settings.host, agent_socket);
  {
    absl::MutexLock lock(&mu_);
    if (const auto it = hosts_.find(&tools); it != hosts_.end()) return it->second.get();
  }
  DM_ASSIGN_OR_RETURN(const std::string folder,
                      hypervisor::FolderOn(tools, call, settings.host, "virtualbox", folder_));
  absl::MutexLock lock(&mu_);
  std::unique_ptr<Host>& host = hosts_[&tools];
  if (host == nullptr) host = std::make_unique<Host>(tools, folder);
  return host.get();
}

absl::StatusOr<VirtualboxDriver::Place> VirtualboxDriver::PlaceOf(DriverCall& call,
                                                                  const MachineSpec& machine) {
  Place place;
  DM_ASSIGN_OR_RETURN(place.settings, ReadSettings(machine.options));
  DM_RETURN_IF_ERROR(machine.ParseState(place.state));
  DM_ASSIGN_OR_RETURN(place.host, HostOf(call, place.settings, machine.ssh_agent_socket));
  const bool imported = !place.state.imported_vm().empty();
  place.vm = imported ? place.state.imported_vm() : machine.uid;
  place.ssh_user = imported ? place.state.imported_ssh_user() : place.settings.ssh_user();
  if (!imported) place.state.set_folder(MachineFolder(place.host->folder, machine.uid));
  return place;
}

VirtualMachine VirtualboxDriver::VmOf(const Place& place, const MachineSpec& machine) {
  return VirtualMachine(place.host->vbox, place.vm, machine.name);
}

absl::Status VirtualboxDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  VBoxManage& vbox = place.host->vbox;
  DM_ASSIGN_OR_RETURN(const Version version, vbox.GetVersion(call));
  if (!version.AtLeast(6, 1)) {
    return PreCreateCheckFailed(absl::StrCat("VirtualBox on ", vbox.host().name(), " is ",
                                             version.major, ".", version.minor,
                                             "; 6.1 or later is needed"));
  }
  DM_RETURN_IF_ERROR(CheckHostIsKnown(call, vbox, place.settings));
  if (place.settings.check_vtx) DM_RETURN_IF_ERROR(CheckVirtualizes(call, vbox));
  const std::string& image =
      place.settings.iso.empty() ? place.settings.guest.image.url : place.settings.iso;
  if (absl::StartsWith(image, "/")) {
    DM_ASSIGN_OR_RETURN(const bool there, hypervisor::Exists(vbox.host(), call, image));
    if (!there) {
      return PreCreateCheckFailed(
          absl::StrCat("--", place.settings.iso.empty() ? kImageFlag : kIsoFlag, ": there is no ",
                       image, " on ", vbox.host().name()));
    }
  }
  return CheckNameIsFree(call, vbox, machine);
}

absl::StatusOr<Observation> VirtualboxDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Checkpoint(place.state);
  VmMaker maker(place.host->vbox, place.host->images, place.host->folder);
  DM_RETURN_IF_ERROR(maker.Make(call, machine, place.settings));
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(VmOf(place, machine).PowerOn(call, place.settings.ui));
  return ObserveStarted(call, machine, place);
}

absl::StatusOr<Observation> VirtualboxDriver::Start(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  const VirtualMachine vm = VmOf(place, machine);
  if (place.state.imported_vm().empty()) {
    DM_ASSIGN_OR_RETURN(const std::optional<VmInfo> info, vm.Look(call));
    // All is there, unless a create was given up half way.
    if (info.has_value() && info->Medium(1).empty()) {
      VmMaker maker(place.host->vbox, place.host->images, place.host->folder);
      DM_RETURN_IF_ERROR(maker.Make(call, machine, place.settings));
    }
  }
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(vm.PowerOn(call, place.settings.ui));
  return ObserveStarted(call, machine, place);
}

absl::StatusOr<Observation> VirtualboxDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                                   std::optional<absl::Duration> grace) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Stopping virtual machine...");
  // Who names a time is told when it was not enough; else the machine's own way holds.
  DM_RETURN_IF_ERROR(VmOf(place, machine)
                         .PowerOff(call, grace.value_or(place.settings.stop_grace),
                                   grace.has_value() ? VirtualMachine::Disobedient::kGoesOn
                                                     : VirtualMachine::Disobedient::kIsPoweredOff));
  return Observe(call, machine, place);
}

absl::StatusOr<Observation> VirtualboxDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Killing virtual machine...");
  DM_RETURN_IF_ERROR(VmOf(place, machine).Kill(call));
  return Observe(call, machine, place);
}

absl::StatusOr<Observation> VirtualboxDriver::Restart(DriverCall& call,
                                                      const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Restarting virtual machine...");
  const VirtualMachine vm = VmOf(place, machine);
  DM_RETURN_IF_ERROR(
      vm.PowerOff(call, place.settings.stop_grace, VirtualMachine::Disobedient::kIsPoweredOff));
  DM_RETURN_IF_ERROR(vm.PowerOn(call, place.settings.ui));
  return ObserveStarted(call, machine, place);
}

absl::Status VirtualboxDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Removing virtual machine...");
  DM_RETURN_IF_ERROR(VmOf(place, machine).Delete(call));
  const std::string folder = MachineFolder(place.host->folder, machine.uid);
  DM_ASSIGN_OR_RETURN(const bool left, hypervisor::Exists(place.host->vbox.host(), call, folder));
  if (!left) return absl::OkStatus();
  // VirtualBox may know files of a machine that was not finished, or of one that is gone.
  for (const auto& [kind, leaf] : {std::pair("disk", "disk.vdi"), std::pair("dvd", "seed.iso")}) {
    place.host->vbox.Write(call, {"closemedium", kind, absl::StrCat(folder, "/", leaf)})
        .IgnoreError();
  }
  DM_RETURN_IF_ERROR(call.Check());
  return hypervisor::RemoveTree(place.host->vbox.host(), call, folder);
}

absl::Status VirtualboxDriver::FillIn(DriverCall& call, const Place& place, const VmInfo& info,
                                      Observation& observation) const {
  std::string host = kLoopback;
  if (!place.settings.host.local()) {
    DM_ASSIGN_OR_RETURN(const common::SshTarget target,
                        hypervisor::ParseSshUrl(place.settings.host.url));
    host = target.host;
  }
  const std::optional<ForwardedPort> ssh = info.Forwarded("ssh");
  if (ssh.has_value() && !ssh->address.empty()) host = ssh->address;
  std::string address = host;
  int engine_port = kEnginePort;
  if (info.Get("nic2") == "hostonly") {
    DM_ASSIGN_OR_RETURN(address, GuestAddress(call, place.host->vbox, place.vm,
                                              info.Get("hostonlyadapter2"), info.Mac(2)));
    if (address.empty()) return absl::OkStatus();
  } else if (const auto engine = info.Forwarded("engine"); engine.has_value()) {
    engine_port = engine->host;
  }
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  endpoint.add_ip_addresses(address);
  endpoint.set_ssh_host(ssh.has_value() ? host : address);
  endpoint.set_ssh_port(ssh.has_value() ? ssh->host : kSshPort);
  endpoint.set_ssh_user(place.ssh_user);
  endpoint.set_docker_url(absl::StrCat("tcp://", HostPort(address, engine_port)));
  return absl::OkStatus();
}

absl::StatusOr<Observation> VirtualboxDriver::Observe(DriverCall& call, const MachineSpec& machine,
                                                      const Place& place) const {
  DM_ASSIGN_OR_RETURN(const std::optional<VmInfo> info, VmOf(place, machine).Look(call));
  Observation observation;
  if (!info.has_value()) {
    observation.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
    return observation;
  }
  observation.set_state(info->Get("name") == "<inaccessible>" ? machine::v1::MACHINE_STATE_ERROR
                                                              : info->state());
  observation.set_instance_id(info->Get("UUID").empty() ? place.vm : info->Get("UUID"));
  SetState(place.state, observation);
  if (IsUp(observation.state())) DM_RETURN_IF_ERROR(FillIn(call, place, *info, observation));
  return observation;
}

absl::StatusOr<Observation> VirtualboxDriver::ObserveStarted(DriverCall& call,
                                                             const MachineSpec& machine,
                                                             const Place& place) const {
  for (bool told = false;; told = true) {
    DM_ASSIGN_OR_RETURN(Observation observation, Observe(call, machine, place));
    if (observation.state() == machine::v1::MACHINE_STATE_STOPPED) {
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
          absl::StrCat("the virtual machine ", machine.name, " ended as soon as it was started"));
    }
    if (observation.has_endpoint()) return observation;
    if (!told) call.Progress("Waiting for an address...");
    DM_RETURN_IF_ERROR(call.Sleep(kAddressPoll));
  }
}

absl::StatusOr<Observation> VirtualboxDriver::Inspect(DriverCall& call,
                                                      const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  return Observe(call, machine, place);
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> VirtualboxDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  MachineSpec machine;
  machine.options = options;
  DM_ASSIGN_OR_RETURN(Place place, PlaceOf(call, machine));
  DM_ASSIGN_OR_RETURN(const std::string text, place.host->vbox.Read(call, {"list", "vms"}));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const ListedVm& vm : ParseVmList(text)) {
    const auto record = ReadRecord(call, place.host->vbox, vm.uuid);
    DM_RETURN_IF_ERROR(call.Check());
    // One that went meanwhile, or cannot be read, is none of ours for all that is known.
    if (!record.ok() || !record->has_value() || (*record)->orchestrator_id != orchestrator_id) {
      continue;
    }
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(vm.uuid);
    machine.uid = vm.uuid;
    machine.name = vm.name;
    place.vm = vm.uuid;
    place.state.set_folder(MachineFolder(place.host->folder, vm.uuid));
    absl::StatusOr<Observation> observation = Observe(call, machine, place);
    if (observation.ok()) {
      *instance.mutable_observation() = *std::move(observation);
    } else {
      instance.mutable_observation()->set_state(machine::v1::MACHINE_STATE_TIMEOUT);
    }
  }
  return instances;
}

absl::StatusOr<std::string> VirtualboxDriver::UpgradeState(DriverCall& /*call*/,
                                                           const MachineSpec& machine) {
  State state;
  const std::string name = hypervisor::ImportedField(machine, "MachineName");
  state.set_imported_vm(name.empty() ? machine.name : name);
  const std::string user = hypervisor::ImportedField(machine, "SSHUser");
  state.set_imported_ssh_user(user.empty() ? "docker" : user);
  return state.SerializeAsString();
}

}  // namespace machine::driver::virtualbox
