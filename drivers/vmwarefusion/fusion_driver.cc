#include "drivers/vmwarefusion/fusion_driver.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/batch.h"
#include "drivers/sdk/host_port.h"
#include "drivers/vmwarefusion/leases.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarefusion {
namespace {

using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_SAVED;
using machine::v1::MACHINE_STATE_STOPPED;

constexpr absl::Duration kDefaultGrace = absl::Minutes(2);
// The first boot of a cloud image.
constexpr absl::Duration kSshTimeout = absl::Minutes(5);
constexpr absl::Duration kAddressPoll = absl::Seconds(1);
constexpr absl::Duration kPoll = absl::Milliseconds(300);
constexpr int kSshPort = 22;
constexpr int kEnginePort = 2376;
constexpr size_t kMostVmx = 1 << 20;
constexpr size_t kMostLeases = 8 << 20;

bool IsAddress(const std::string& text) {
  in_addr address = {};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 && !absl::StartsWith(text, "127.");
}

// The last two parts of a path: what is before may have two names, by a link.
absl::string_view Tail(absl::string_view path) {
  const size_t file = path.rfind('/');
  if (file == absl::string_view::npos || file == 0) return path;
  const size_t folder = path.rfind('/', file - 1);
  return folder == absl::string_view::npos ? path : path.substr(folder);
}

}  // namespace

DriverInfo FusionDriver::info() const {
  DriverInfo info;
  info.name = "vmwarefusion";
  info.capabilities = {
      ::driver::v1::CAPABILITY_POWER,
      ::driver::v1::CAPABILITY_KILL,
      ::driver::v1::CAPABILITY_RESTART,
      ::driver::v1::CAPABILITY_LIST_INSTANCES,
  };
  info.ssh_timeout = kSshTimeout;
  return info;
}

Flags FusionDriver::flags() const { return FusionFlags(); }

absl::Status FusionDriver::Init(const DriverEnvironment& environment) {
  folder_ = environment.data_dir;
  return absl::OkStatus();
}

absl::Status FusionDriver::Validate(Options& options) const {
  return ReadSettings(options).status();
}

absl::StatusOr<FusionDriver::Place> FusionDriver::PlaceOf(DriverCall& call,
                                                          const MachineSpec& machine) {
  Place place;
  DM_ASSIGN_OR_RETURN(place.settings, ReadSettings(machine.options));
  DM_RETURN_IF_ERROR(machine.ParseState(place.state));
  hypervisor::ToolHost& tools = tools_.Get(place.settings.host, machine.ssh_agent_socket);
  {
    absl::MutexLock lock(&mu_);
    if (const auto it = hosts_.find(&tools); it != hosts_.end()) place.host = it->second.get();
  }
  if (place.host == nullptr) {
    DM_ASSIGN_OR_RETURN(
        const std::string folder,
        hypervisor::FolderOn(tools, call, place.settings.host, "vmwarefusion", folder_));
    absl::MutexLock lock(&mu_);
    std::unique_ptr<Host>& host = hosts_[&tools];
    if (host == nullptr) host = std::make_unique<Host>(tools, folder);
    place.host = host.get();
  }
  place.uid = machine.uid;
  const bool imported = !place.state.imported_vmx().empty();
  place.vmx = imported ? place.state.imported_vmx() : place.host->files.VmxOf(machine.uid);
  place.ssh_user = imported ? place.state.imported_ssh_user() : place.settings.guest.ssh_user;
  if (!imported) place.state.set_folder(place.host->files.FolderOf(machine.uid));
  return place;
}

absl::Status FusionDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  DM_RETURN_IF_ERROR(place.host->vmrun.Facts(call).status());
  const std::string& image = place.settings.guest.image.url;
  if (!absl::StartsWith(image, "/")) return absl::OkStatus();
  hypervisor::ToolHost& host = place.host->vmrun.host();
  DM_ASSIGN_OR_RETURN(const bool there, hypervisor::Exists(host, call, image));
  if (there) return absl::OkStatus();
  return PreCreateCheckFailed(
      absl::StrCat("--", kImageFlag, ": there is no ", image, " on ", host.name()));
}

absl::StatusOr<MachineState> FusionDriver::StateNow(DriverCall& call, const Place& place,
                                                    const std::set<std::string>* running) const {
  const absl::StatusOr<std::string> text =
      place.host->vmrun.host().ReadFile(call, place.vmx, kMostVmx);
  if (absl::IsNotFound(text.status())) {
    if (!place.state.imported_vmx().empty()) return MACHINE_STATE_NOT_FOUND;
    DM_ASSIGN_OR_RETURN(const std::optional<MachineRecord> record,
                        place.host->files.Read(call, place.uid));
    return record.has_value() ? MACHINE_STATE_STOPPED : MACHINE_STATE_NOT_FOUND;
  }
  DM_RETURN_IF_ERROR(text.status());
  std::set<std::string> now;
  if (running == nullptr) {
    DM_ASSIGN_OR_RETURN(now, place.host->vmrun.Running(call));
    running = &now;
  }
  for (const std::string& path : *running) {
    if (Tail(path) == Tail(place.vmx)) return MACHINE_STATE_RUNNING;
  }
  const Vmx vmx = ParseVmx(*text);
  const auto memory = vmx.find("checkpoint.vmstate");
  return memory != vmx.end() && !memory->second.empty() ? MACHINE_STATE_SAVED
                                                        : MACHINE_STATE_STOPPED;
}

absl::StatusOr<MachineState> FusionDriver::Require(DriverCall& call, const MachineSpec& machine,
                                                   const Place& place) const {
  DM_ASSIGN_OR_RETURN(const MachineState state, StateNow(call, place));
  if (state != MACHINE_STATE_NOT_FOUND) return state;
  return InstanceGone(absl::StrCat("there is no virtual machine of machine ", machine.name, " on ",
                                   place.host->vmrun.host().name(), ": ", place.vmx, " is gone"));
}

void FusionDriver::Unpause(DriverCall& call, const Place& place) {
  place.host->vmrun.Write(call, {"unpause", place.vmx}).IgnoreError();
}

absl::Status FusionDriver::PowerOn(DriverCall& call, const Place& place) const {
  DM_ASSIGN_OR_RETURN(const MachineState state, StateNow(call, place));
  if (state == MACHINE_STATE_RUNNING) {
    Unpause(call, place);
    return call.Check();
  }
  call.Progress("Starting virtual machine...");
  const absl::Status started =
      place.host->vmrun.Write(call, {"start", place.vmx, place.settings.ui});
  if (started.ok()) return started;
  // Another attempt's may have been first.
  DM_ASSIGN_OR_RETURN(const MachineState now, StateNow(call, place));
  return now == MACHINE_STATE_RUNNING ? absl::OkStatus() : started;
}

absl::Status FusionDriver::PowerOff(DriverCall& call, const MachineSpec& machine,
                                    const Place& place, absl::Duration grace) const {
  DM_ASSIGN_OR_RETURN(const MachineState state, Require(call, machine, place));
  if (state != MACHINE_STATE_RUNNING) return absl::OkStatus();
  // A guest that stands still hears nothing.
  Unpause(call, place);
  const absl::Time deadline = absl::Now() + grace;
  const absl::Status asked =
      place.host->vmrun.Write(call, {"stop", place.vmx, "soft"}, std::max(grace, absl::Seconds(1)));
  DM_RETURN_IF_ERROR(call.Check());
  if (!asked.ok() && !absl::IsDeadlineExceeded(asked)) {
    DM_ASSIGN_OR_RETURN(const MachineState now, StateNow(call, place));
    return now == MACHINE_STATE_RUNNING ? asked : absl::OkStatus();
  }
  for (;;) {
    DM_ASSIGN_OR_RETURN(const MachineState now, StateNow(call, place));
    if (now != MACHINE_STATE_RUNNING) return absl::OkStatus();
    if (absl::Now() >= deadline) {
      return common::Error(absl::StatusCode::kDeadlineExceeded,
                           machine::v1::ERROR_REASON_STEP_TIMEOUT,
                           absl::StrCat("machine ", machine.name, " did not shut down within ",
                                        absl::FormatDuration(grace), "; kill it if it must be"));
    }
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::StatusOr<Observation> FusionDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Checkpoint(place.state);
  DM_RETURN_IF_ERROR(place.host->files.Make(call, machine, place.settings));
  DM_RETURN_IF_ERROR(PowerOn(call, place));
  return ObserveStarted(call, machine, place);
}

absl::StatusOr<Observation> FusionDriver::Start(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  DM_RETURN_IF_ERROR(Require(call, machine, place).status());
  // All is there, unless a create was given up half way.
  if (place.state.imported_vmx().empty()) {
    DM_RETURN_IF_ERROR(place.host->files.Make(call, machine, place.settings));
  }
  DM_RETURN_IF_ERROR(PowerOn(call, place));
  return ObserveStarted(call, machine, place);
}

absl::StatusOr<Observation> FusionDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                               std::optional<absl::Duration> grace) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Stopping virtual machine...");
  DM_RETURN_IF_ERROR(PowerOff(call, machine, place, grace.value_or(kDefaultGrace)));
  return Observe(call, machine, place);
}

absl::StatusOr<Observation> FusionDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  DM_ASSIGN_OR_RETURN(const MachineState state, Require(call, machine, place));
  if (state == MACHINE_STATE_RUNNING) {
    call.Progress("Killing virtual machine...");
    const absl::Status killed = place.host->vmrun.Write(call, {"stop", place.vmx, "hard"});
    DM_ASSIGN_OR_RETURN(const MachineState now, StateNow(call, place));
    // It may have ended by itself at that moment.
    if (now == MACHINE_STATE_RUNNING) DM_RETURN_IF_ERROR(killed);
  }
  return Observe(call, machine, place);
}

absl::StatusOr<Observation> FusionDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Restarting virtual machine...");
  DM_RETURN_IF_ERROR(PowerOff(call, machine, place, kDefaultGrace));
  DM_RETURN_IF_ERROR(PowerOn(call, place));
  return ObserveStarted(call, machine, place);
}

absl::Status FusionDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  hypervisor::ToolHost& host = place.host->vmrun.host();
  DM_ASSIGN_OR_RETURN(const MachineState state, StateNow(call, place));
  if (state != MACHINE_STATE_NOT_FOUND) {
    call.Progress("Removing virtual machine...");
    if (state == MACHINE_STATE_RUNNING) DM_RETURN_IF_ERROR(Kill(call, machine).status());
    // Takes it off VMware's own list. Where VMware cannot read it, its files go all the same.
    place.host->vmrun.Write(call, {"deleteVM", place.vmx}).IgnoreError();
    DM_RETURN_IF_ERROR(call.Check());
  }
  return hypervisor::RemoveTree(host, call, place.host->files.FolderOf(machine.uid));
}

absl::StatusOr<std::string> FusionDriver::AddressOf(DriverCall& call, const Place& place) const {
  VmRun& vmrun = place.host->vmrun;
  // Fails until the guest's tools run, and where it has none.
  const absl::StatusOr<std::string> told = vmrun.Read(call, {"getGuestIPAddress", place.vmx});
  DM_RETURN_IF_ERROR(call.Check());
  if (told.ok()) {
    std::string address(absl::StripAsciiWhitespace(*told));
    if (IsAddress(address)) return address;
  }
  DM_ASSIGN_OR_RETURN(const std::string text, vmrun.host().ReadFile(call, place.vmx, kMostVmx));
  const Vmx vmx = ParseVmx(text);
  auto mac = vmx.find("ethernet0.address");
  if (mac == vmx.end()) mac = vmx.find("ethernet0.generatedaddress");
  if (mac == vmx.end()) return std::string();
  DM_ASSIGN_OR_RETURN(const HostFacts facts, vmrun.Facts(call));
  for (const std::string& path : facts.leases) {
    const absl::StatusOr<std::string> leases = vmrun.host().ReadFile(call, path, kMostLeases);
    DM_RETURN_IF_ERROR(call.Check());
    if (!leases.ok()) continue;
    std::string address = LeasedAddress(*leases, absl::AsciiStrToLower(mac->second));
    if (!address.empty()) return address;
  }
  return std::string();
}

absl::StatusOr<Observation> FusionDriver::Observe(DriverCall& call, const MachineSpec& machine,
                                                  const Place& place,
                                                  const std::set<std::string>* running) const {
  DM_ASSIGN_OR_RETURN(const MachineState state, StateNow(call, place, running));
  Observation observation;
  observation.set_state(state);
  if (state == MACHINE_STATE_NOT_FOUND) return observation;
  observation.set_instance_id(machine.uid);
  SetState(place.state, observation);
  if (state != MACHINE_STATE_RUNNING) return observation;
  DM_ASSIGN_OR_RETURN(const std::string address, AddressOf(call, place));
  if (address.empty()) return observation;
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  endpoint.add_ip_addresses(address);
  endpoint.set_ssh_host(address);
  endpoint.set_ssh_port(kSshPort);
  endpoint.set_ssh_user(place.ssh_user);
  endpoint.set_docker_url(absl::StrCat("tcp://", HostPort(address, kEnginePort)));
  return observation;
}

absl::StatusOr<Observation> FusionDriver::ObserveStarted(DriverCall& call,
                                                         const MachineSpec& machine,
                                                         const Place& place) const {
  for (bool told = false;; told = true) {
    DM_ASSIGN_OR_RETURN(Observation observation, Observe(call, machine, place));
    if (observation.state() == MACHINE_STATE_STOPPED) {
      return common::Error(
          absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
          absl::StrCat("the virtual machine ", machine.name, " ended as soon as it was started"));
    }
    if (observation.has_endpoint()) return observation;
    if (!told) call.Progress("Waiting for an address...");
    DM_RETURN_IF_ERROR(call.Sleep(kAddressPoll));
  }
}

absl::StatusOr<Observation> FusionDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  return Observe(call, machine, place);
}

absl::StatusOr<std::vector<Observation>> FusionDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  struct Listing {
    absl::Mutex mu;
    std::optional<absl::StatusOr<std::set<std::string>>> running ABSL_GUARDED_BY(mu);
  };
  absl::Mutex mu;
  std::map<const Host*, Listing> listings;
  const auto running_on = [&](Host& host) -> absl::StatusOr<std::set<std::string>*> {
    Listing* listing = nullptr;
    {
      absl::MutexLock lock(&mu);
      listing = &listings[&host];
    }
    // The first asks, for all.
    absl::MutexLock lock(&listing->mu);
    if (!listing->running.has_value()) listing->running = host.vmrun.Running(call);
    DM_RETURN_IF_ERROR(listing->running->status());
    return &**listing->running;
  };
  // Each machine for itself, as each guest is asked for its address.
  return InspectByAccount<const MachineSpec>(
      machines,
      [](const MachineSpec& machine) -> absl::StatusOr<std::shared_ptr<const MachineSpec>> {
        return std::shared_ptr<const MachineSpec>(std::shared_ptr<void>(), &machine);
      },
      [&](const MachineSpec& machine,
          const AccountMachines&) -> absl::StatusOr<std::vector<Observation>> {
        DM_RETURN_IF_ERROR(call.Check());
        DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
        DM_ASSIGN_OR_RETURN(const std::set<std::string>* const running, running_on(*place.host));
        DM_ASSIGN_OR_RETURN(Observation observation, Observe(call, machine, place, running));
        return std::vector<Observation>{std::move(observation)};
      });
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> FusionDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  MachineSpec machine;
  machine.options = options;
  DM_ASSIGN_OR_RETURN(Place place, PlaceOf(call, machine));
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> uids, place.host->files.List(call));
  if (uids.empty()) return std::vector<::driver::v1::ListInstancesResponse>();
  DM_ASSIGN_OR_RETURN(const std::set<std::string> running, place.host->vmrun.Running(call));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const std::string& uid : uids) {
    const auto record = place.host->files.Read(call, uid);
    DM_RETURN_IF_ERROR(call.Check());
    // One that went meanwhile, or cannot be read, is none of ours for all that is known.
    if (!record.ok() || !record->has_value() || (*record)->orchestrator_id != orchestrator_id) {
      continue;
    }
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(uid);
    machine.uid = uid;
    place.uid = uid;
    place.vmx = place.host->files.VmxOf(uid);
    place.state.set_folder(place.host->files.FolderOf(uid));
    absl::StatusOr<Observation> observation = Observe(call, machine, place, &running);
    if (observation.ok()) {
      *instance.mutable_observation() = *std::move(observation);
    } else {
      instance.mutable_observation()->set_state(machine::v1::MACHINE_STATE_TIMEOUT);
    }
  }
  return instances;
}

absl::StatusOr<std::string> FusionDriver::UpgradeState(DriverCall& /*call*/,
                                                       const MachineSpec& machine) {
  const std::string folder = hypervisor::ImportedField(machine, "StorePath");
  const std::string name = hypervisor::ImportedField(machine, "MachineName");
  if (folder.empty() || name.empty()) {
    return absl::DataLossError("the imported state has no StorePath or MachineName");
  }
  const std::string user = hypervisor::ImportedField(machine, "SSHUser");
  State state;
  state.set_imported_vmx(absl::StrCat(folder, "/machines/", name, "/", name, ".vmx"));
  state.set_imported_ssh_user(user.empty() ? "docker" : user);
  return state.SerializeAsString();
}

}  // namespace machine::driver::vmwarefusion
