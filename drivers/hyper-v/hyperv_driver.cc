#include "drivers/hyper-v/hyperv_driver.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/hyper-v/scripts.h"
#include "drivers/hypervisor/seed_iso.h"
#include "drivers/sdk/host_port.h"
#include "services/common/status/status.h"

namespace machine::driver::hyperv {
namespace {

using Json = nlohmann::json;
using machine::v1::MACHINE_STATE_ERROR;
using machine::v1::MACHINE_STATE_NOT_FOUND;
using machine::v1::MACHINE_STATE_PAUSED;
using machine::v1::MACHINE_STATE_RUNNING;
using machine::v1::MACHINE_STATE_SAVED;
using machine::v1::MACHINE_STATE_STARTING;
using machine::v1::MACHINE_STATE_STOPPED;
using machine::v1::MACHINE_STATE_STOPPING;

constexpr absl::Duration kDefaultGrace = absl::Minutes(2);
// The first boot of a cloud image.
constexpr absl::Duration kSshTimeout = absl::Minutes(5);
constexpr absl::Duration kAddressPoll = absl::Seconds(1);
constexpr absl::Duration kPoll = absl::Milliseconds(500);
constexpr absl::Duration kLongestAction = absl::Minutes(5);
constexpr int kSshPort = 22;
constexpr int kEnginePort = 2376;
constexpr int64_t kMib = int64_t{1} << 20;
// Microsoft's range for Hyper-V.
constexpr char kMacPrefix[] = "00:15:5d";
constexpr char kDefaultSwitch[] = "Default Switch";
constexpr char kCdFile[] = "seed.iso";
constexpr char kDiskFile[] = "disk.vhdx";

struct StateWord {
  absl::string_view word;
  MachineState state;
};

// VMState of Hyper-V's PowerShell module.
constexpr StateWord kStates[] = {
    {"Running", MACHINE_STATE_RUNNING},
    {"Off", MACHINE_STATE_STOPPED},
    {"Saved", MACHINE_STATE_SAVED},
    {"FastSaved", MACHINE_STATE_SAVED},
    {"Hibernated", MACHINE_STATE_SAVED},
    {"Paused", MACHINE_STATE_PAUSED},
    {"Starting", MACHINE_STATE_STARTING},
    {"Resuming", MACHINE_STATE_STARTING},
    {"Reset", MACHINE_STATE_STARTING},
    {"ForceReboot", MACHINE_STATE_STARTING},
    {"ComponentServicing", MACHINE_STATE_STARTING},
    {"Stopping", MACHINE_STATE_STOPPING},
    {"Saving", MACHINE_STATE_STOPPING},
    {"FastSaving", MACHINE_STATE_STOPPING},
    {"Pausing", MACHINE_STATE_STOPPING},
    {"ForceShutdown", MACHINE_STATE_STOPPING},
};

std::string Text(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool Flag(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_boolean() && it->get<bool>();
}

bool IsIpv4(const std::string& text) {
  in_addr address = {};
  // Guests that got no address give themselves one of 169.254.
  return inet_pton(AF_INET, text.c_str(), &address) == 1 && !absl::StartsWith(text, "169.254.") &&
         !absl::StartsWith(text, "127.");
}

// The name of the folder after `root` in `path`.
std::string FolderBelow(absl::string_view path, absl::string_view root) {
  if (!absl::StartsWithIgnoreCase(path, absl::StrCat(root, "\\"))) return "";
  path.remove_prefix(root.size() + 1);
  return absl::AsciiStrToLower(path.substr(0, path.find('\\')));
}

Json NotesOf(const SeenVm& vm) {
  Json notes = Json::parse(vm.notes, nullptr, /*allow_exceptions=*/false);
  return notes.is_object() ? notes : Json::object();
}

}  // namespace

MachineState StateOf(absl::string_view state) {
  // Each may end so while the machine's storage is away.
  const bool critical = absl::ConsumeSuffix(&state, "Critical");
  for (const StateWord& entry : kStates) {
    if (entry.word != state) continue;
    return critical && entry.state != MACHINE_STATE_STOPPED ? MACHINE_STATE_ERROR : entry.state;
  }
  return machine::v1::MACHINE_STATE_UNSPECIFIED;
}

std::vector<SeenVm> ParseVms(const Json& rows) {
  std::vector<SeenVm> vms;
  if (!rows.is_array()) return vms;
  for (const Json& row : rows) {
    if (!row.is_object() || Text(row, "state").empty() || Text(row, "path").empty()) continue;
    SeenVm& vm = vms.emplace_back();
    vm.name = Text(row, "name");
    vm.id = Text(row, "id");
    vm.path = Text(row, "path");
    vm.state = Text(row, "state");
    vm.notes = Text(row, "notes");
    if (const auto cds = row.find("cds"); cds != row.end() && cds->is_number_integer()) {
      vm.cds = cds->get<int>();
    }
    const auto addresses = row.find("addresses");
    if (addresses == row.end()) continue;
    for (const Json& address : addresses->is_array() ? *addresses : Json::array({*addresses})) {
      if (address.is_string() && IsIpv4(address.get<std::string>())) {
        vm.addresses.push_back(address.get<std::string>());
      }
    }
  }
  return vms;
}

DriverInfo HypervDriver::info() const {
  DriverInfo info;
  info.name = "hyper-v";
  info.capabilities = {
      ::driver::v1::CAPABILITY_POWER,
      ::driver::v1::CAPABILITY_KILL,
      ::driver::v1::CAPABILITY_RESTART,
      ::driver::v1::CAPABILITY_LIST_INSTANCES,
  };
  info.ssh_timeout = kSshTimeout;
  return info;
}

Flags HypervDriver::flags() const { return HypervFlags(); }

absl::Status HypervDriver::Validate(Options& options) const {
  return ReadSettings(options).status();
}

absl::StatusOr<HypervDriver::Place> HypervDriver::PlaceOf(DriverCall& call,
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
    PowerShell powershell(tools);
    DM_ASSIGN_OR_RETURN(const Json facts, powershell.Run(call, kFactsScript, Json::object()));
    const Json row = facts.empty() ? Json::object() : facts[0];
    if (!Flag(row, "hyperv") || !Flag(row, "allowed") || Text(row, "home").empty()) {
      return PreCreateCheckFailed(absl::StrCat(
          tools.name(),
          !Flag(row, "hyperv")
              ? " has no Hyper-V with its PowerShell module: turn the Windows features on "
                "(Microsoft-Hyper-V-All)"
              : " does not let this account use Hyper-V: add it to the group Hyper-V "
                "Administrators"));
    }
    const auto cpus = row.find("cpus");
    absl::MutexLock lock(&mu_);
    std::unique_ptr<Host>& host = hosts_[&tools];
    if (host == nullptr) {
      host = std::make_unique<Host>(
          tools, absl::StrCat(Text(row, "home"), "\\.docker-machine\\hyper-v"),
          cpus != row.end() && cpus->is_number_integer() ? cpus->get<int>() : 1);
    }
    place.host = host.get();
  }
  const bool imported = !place.state.imported_folder().empty();
  place.folder = imported ? place.state.imported_folder()
                          : absl::StrCat(place.host->folder, "\\machines\\", machine.uid);
  place.ssh_user = imported ? place.state.imported_ssh_user() : place.settings.guest.ssh_user;
  if (!imported) place.state.set_folder(place.folder);
  return place;
}

absl::StatusOr<std::optional<SeenVm>> HypervDriver::Look(DriverCall& call,
                                                         const Place& place) const {
  DM_ASSIGN_OR_RETURN(const Json rows,
                      place.host->powershell.Run(call, kLookScript, {{"folder", place.folder}}));
  std::vector<SeenVm> vms = ParseVms(rows);
  if (vms.empty()) return std::nullopt;
  return std::move(vms.front());
}

absl::StatusOr<SeenVm> HypervDriver::Require(DriverCall& call, const MachineSpec& machine,
                                             const Place& place) const {
  DM_ASSIGN_OR_RETURN(std::optional<SeenVm> vm, Look(call, place));
  if (vm.has_value()) return *std::move(vm);
  return InstanceGone(absl::StrCat("Hyper-V on ", place.host->powershell.host().name(),
                                   " has no virtual machine of machine ", machine.name));
}

absl::Status HypervDriver::CheckNameIsFree(DriverCall& call, const MachineSpec& machine,
                                           const Place& place) const {
  DM_ASSIGN_OR_RETURN(const Json others,
                      place.host->powershell.Run(
                          call, kNamesScript, {{"name", machine.name}, {"folder", place.folder}}));
  if (others.empty()) return absl::OkStatus();
  return PreCreateCheckFailed(absl::StrCat("Hyper-V on ", place.host->powershell.host().name(),
                                           " has a virtual machine ", machine.name,
                                           " already: choose another name, or remove it"));
}

absl::StatusOr<std::string> HypervDriver::ChooseSwitch(DriverCall& call, const Place& place) const {
  DM_ASSIGN_OR_RETURN(const Json facts,
                      place.host->powershell.Run(call, kFactsScript, Json::object()));
  std::vector<Switch> switches;
  if (!facts.empty() && facts[0].contains("switches")) {
    for (const Json& row : facts[0]["switches"]) {
      if (row.is_object()) switches.push_back({Text(row, "name"), Text(row, "type")});
    }
  }
  const auto find = [&](const auto& fits) -> std::string {
    const auto it = std::find_if(switches.begin(), switches.end(), fits);
    return it == switches.end() ? std::string() : it->name;
  };
  const std::string& wanted = place.settings.virtual_switch;
  std::string chosen;
  if (!wanted.empty()) {
    chosen = find([&](const Switch& entry) { return absl::EqualsIgnoreCase(entry.name, wanted); });
  } else {
    chosen = find([](const Switch& entry) { return entry.name == kDefaultSwitch; });
    if (chosen.empty()) {
      chosen = find([](const Switch& entry) { return entry.type == "External"; });
    }
    if (chosen.empty()) chosen = find([](const Switch&) { return true; });
  }
  if (!chosen.empty()) return chosen;
  std::string names;
  for (const Switch& entry : switches) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", "\"", entry.name, "\"");
  }
  return PreCreateCheckFailed(absl::StrCat(
      "--", kSwitchFlag, ": ", place.host->powershell.host().name(), " has no virtual switch",
      wanted.empty() ? std::string(": make one by New-VMSwitch")
                     : absl::StrCat(" \"", wanted, "\", only ", names.empty() ? "none" : names)));
}

absl::Status HypervDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  DM_RETURN_IF_ERROR(ChooseSwitch(call, place).status());
  return CheckNameIsFree(call, machine, place);
}

absl::Status HypervDriver::Make(DriverCall& call, const MachineSpec& machine,
                                const Place& place) const {
  PowerShell& powershell = place.host->powershell;
  const Settings& settings = place.settings;
  const std::string wanted = FixedSettings(settings);
  DM_ASSIGN_OR_RETURN(const std::optional<SeenVm> vm, Look(call, place));
  if (vm.has_value()) {
    const Json notes = NotesOf(*vm);
    if (notes.contains("settings")) {
      DM_RETURN_IF_ERROR(
          hypervisor::CheckSameSettings(machine.uid, notes["settings"].dump(), wanted));
    }
    // The CD is the last that is put in.
    if (vm->cds > 0) return absl::OkStatus();
  }
  DM_ASSIGN_OR_RETURN(const std::string virtual_switch, ChooseSwitch(call, place));
  const std::string disk = absl::StrCat(place.folder, "\\", kDiskFile);
  const std::string cd = absl::StrCat(place.folder, "\\", kCdFile);
  std::string mac = settings.mac;
  if (mac.empty()) {
    mac = absl::AsciiStrToUpper(hypervisor::MacAddress(kMacPrefix, machine.uid, 0));
    mac.erase(std::remove(mac.begin(), mac.end(), ':'), mac.end());
  }
  if (!vm.has_value()) {
    DM_RETURN_IF_ERROR(CheckNameIsFree(call, machine, place));
    call.Progress("Creating virtual machine...");
    hypervisor::GuestSeed seed = {.instance_id = machine.uid,
                                  .hostname = machine.name,
                                  .user = settings.guest.ssh_user,
                                  .ssh_public_key = machine.ssh_public_key,
                                  .extra_user_data = settings.guest.user_data};
    DM_RETURN_IF_ERROR(powershell
                           .Run(call, kWriteScript,
                                {{"folder", place.folder},
                                 {"path", cd},
                                 {"data", absl::Base64Escape(hypervisor::MakeSeedIso(seed))}})
                           .status());
    DM_ASSIGN_OR_RETURN(const std::string image,
                        place.host->images.Fetch(call, settings.guest.image));
    call.Progress("Creating disk...");
    DM_RETURN_IF_ERROR(place.host->images.MakeDisk(call, image, disk, settings.disk_mib));
  }
  const Json notes = {{"orchestrator", call.orchestrator_id()}, {"settings", Json::parse(wanted)}};
  return powershell.gate().Run(call, [&] {
    return powershell
        .Run(call, kMakeScript,
             {{"folder", place.folder},
              {"name", machine.name},
              {"memory", settings.memory_mib * kMib},
              {"dynamic", settings.dynamic_memory},
              {"cpus", settings.cpus > 0 ? settings.cpus : int64_t{place.host->cpus}},
              {"disk", disk},
              {"cd", cd},
              {"switch", virtual_switch},
              {"mac", mac},
              {"vlan", settings.vlan},
              {"notes", notes.dump()}},
             kLongestAction)
        .status();
  });
}

absl::Status HypervDriver::PowerOn(DriverCall& call, const MachineSpec& machine,
                                   const Place& place) const {
  for (;;) {
    DM_ASSIGN_OR_RETURN(const SeenVm vm, Require(call, machine, place));
    const MachineState state = StateOf(vm.state);
    if (state == MACHINE_STATE_RUNNING) return absl::OkStatus();
    if (state == MACHINE_STATE_STARTING || state == MACHINE_STATE_STOPPING) {
      DM_RETURN_IF_ERROR(call.Sleep(kPoll));
      continue;
    }
    call.Progress("Starting virtual machine...");
    const absl::Status started =
        place.host->powershell.Run(call, kStartScript, {{"folder", place.folder}}, kLongestAction)
            .status();
    if (started.ok()) return started;
    // Another attempt's may have been first.
    DM_ASSIGN_OR_RETURN(const SeenVm now, Require(call, machine, place));
    return StateOf(now.state) == MACHINE_STATE_RUNNING ? absl::OkStatus() : started;
  }
}

absl::Status HypervDriver::PowerOff(DriverCall& call, const MachineSpec& machine,
                                    const Place& place, absl::Duration grace) const {
  const absl::Time deadline = absl::Now() + grace;
  for (bool asked = false;;) {
    DM_ASSIGN_OR_RETURN(const SeenVm vm, Require(call, machine, place));
    const MachineState state = StateOf(vm.state);
    if (state == MACHINE_STATE_STOPPED || state == MACHINE_STATE_SAVED) return absl::OkStatus();
    if (asked && absl::Now() >= deadline) {
      return common::Error(absl::StatusCode::kDeadlineExceeded,
                           machine::v1::ERROR_REASON_STEP_TIMEOUT,
                           absl::StrCat("machine ", machine.name, " did not shut down within ",
                                        absl::FormatDuration(grace), "; kill it if it must be"));
    }
    if (state == MACHINE_STATE_PAUSED) {
      DM_RETURN_IF_ERROR(
          place.host->powershell.Run(call, kStartScript, {{"folder", place.folder}}).status());
      continue;
    }
    if (!asked && state != MACHINE_STATE_STARTING) {
      asked = true;
      const absl::Status stopped =
          place.host->powershell
              .Run(call, kStopScript, {{"folder", place.folder}}, std::max(grace, absl::Seconds(1)))
              .status();
      DM_RETURN_IF_ERROR(call.Check());
      if (stopped.ok() || absl::IsDeadlineExceeded(stopped)) continue;
      DM_ASSIGN_OR_RETURN(const SeenVm now, Require(call, machine, place));
      // It may have ended by itself at this moment.
      if (StateOf(now.state) == MACHINE_STATE_RUNNING) return stopped;
      continue;
    }
    DM_RETURN_IF_ERROR(call.Sleep(kPoll));
  }
}

absl::StatusOr<Observation> HypervDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Checkpoint(place.state);
  DM_RETURN_IF_ERROR(Make(call, machine, place));
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(PowerOn(call, machine, place));
  return ObserveStarted(call, machine, place);
}

absl::StatusOr<Observation> HypervDriver::Start(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  DM_ASSIGN_OR_RETURN(const SeenVm vm, Require(call, machine, place));
  // All is there, unless a create was given up half way.
  if (place.state.imported_folder().empty() && vm.cds == 0) {
    DM_RETURN_IF_ERROR(Make(call, machine, place));
  }
  DM_RETURN_IF_ERROR(PowerOn(call, machine, place));
  return ObserveStarted(call, machine, place);
}

absl::StatusOr<Observation> HypervDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                               std::optional<absl::Duration> grace) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Stopping virtual machine...");
  DM_RETURN_IF_ERROR(PowerOff(call, machine, place, grace.value_or(kDefaultGrace)));
  return Observe(call, place);
}

absl::StatusOr<Observation> HypervDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  DM_ASSIGN_OR_RETURN(const SeenVm vm, Require(call, machine, place));
  if (StateOf(vm.state) != MACHINE_STATE_STOPPED) {
    call.Progress("Killing virtual machine...");
    const absl::Status killed =
        place.host->powershell.Run(call, kKillScript, {{"folder", place.folder}}, kLongestAction)
            .status();
    DM_ASSIGN_OR_RETURN(const SeenVm now, Require(call, machine, place));
    // It may have ended by itself at that moment.
    if (StateOf(now.state) != MACHINE_STATE_STOPPED) DM_RETURN_IF_ERROR(killed);
  }
  return Observe(call, place);
}

absl::StatusOr<Observation> HypervDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Restarting virtual machine...");
  DM_RETURN_IF_ERROR(PowerOff(call, machine, place, kDefaultGrace));
  DM_RETURN_IF_ERROR(PowerOn(call, machine, place));
  return ObserveStarted(call, machine, place);
}

absl::Status HypervDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  call.Progress("Removing virtual machine...");
  return place.host->powershell.Run(call, kRemoveScript, {{"folder", place.folder}}, kLongestAction)
      .status();
}

Observation HypervDriver::ObservationOf(const Place& place, const SeenVm& vm) {
  Observation observation;
  observation.set_state(StateOf(vm.state));
  observation.set_instance_id(vm.id);
  SetState(place.state, observation);
  const bool up =
      observation.state() == MACHINE_STATE_RUNNING || observation.state() == MACHINE_STATE_PAUSED;
  if (!up || vm.addresses.empty()) return observation;
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  for (const std::string& address : vm.addresses) endpoint.add_ip_addresses(address);
  endpoint.set_ssh_host(vm.addresses.front());
  endpoint.set_ssh_port(kSshPort);
  endpoint.set_ssh_user(place.ssh_user);
  endpoint.set_docker_url(absl::StrCat("tcp://", HostPort(vm.addresses.front(), kEnginePort)));
  return observation;
}

absl::StatusOr<Observation> HypervDriver::Observe(DriverCall& call, const Place& place) const {
  DM_ASSIGN_OR_RETURN(const std::optional<SeenVm> vm, Look(call, place));
  if (vm.has_value()) return ObservationOf(place, *vm);
  Observation observation;
  observation.set_state(MACHINE_STATE_NOT_FOUND);
  return observation;
}

absl::StatusOr<Observation> HypervDriver::ObserveStarted(DriverCall& call,
                                                         const MachineSpec& machine,
                                                         const Place& place) const {
  for (bool told = false;; told = true) {
    DM_ASSIGN_OR_RETURN(Observation observation, Observe(call, place));
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

absl::StatusOr<Observation> HypervDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, machine));
  return Observe(call, place);
}

absl::StatusOr<std::vector<Observation>> HypervDriver::BatchInspect(
    DriverCall& call, absl::Span<const MachineSpec> machines) {
  std::map<std::string, std::shared_ptr<const std::string>> hosts;
  return InspectByAccount<const std::string>(
      machines,
      [&](const MachineSpec& machine) -> absl::StatusOr<std::shared_ptr<const std::string>> {
        DM_ASSIGN_OR_RETURN(const hypervisor::HostAccess access,
                            hypervisor::ReadHostAccess(machine.options, kPrefix));
        std::shared_ptr<const std::string>& host = hosts[access.url];
        if (host == nullptr) host = std::make_shared<const std::string>(access.url);
        return host;
      },
      [&](const std::string&, const AccountMachines& share) { return InspectAll(call, share); });
}

absl::StatusOr<std::vector<Observation>> HypervDriver::InspectAll(DriverCall& call,
                                                                  const AccountMachines& machines) {
  // By uid. An account that was given with another key is another host.
  std::map<const Host*, std::map<std::string, SeenVm>> seen;
  std::vector<Observation> observations;
  for (const MachineSpec* const machine : machines) {
    DM_ASSIGN_OR_RETURN(const Place place, PlaceOf(call, *machine));
    if (!place.state.imported_folder().empty()) {
      DM_ASSIGN_OR_RETURN(observations.emplace_back(), Observe(call, place));
      continue;
    }
    const auto [vms, fresh] = seen.try_emplace(place.host);
    if (fresh) {
      const std::string root = place.host->folder + "\\machines";
      DM_ASSIGN_OR_RETURN(const Json rows,
                          place.host->powershell.Run(call, kLookScript, {{"folder", root}}));
      for (SeenVm& vm : ParseVms(rows)) {
        std::string uid = FolderBelow(vm.path, root);
        vms->second.emplace(std::move(uid), std::move(vm));
      }
    }
    const auto vm = vms->second.find(machine->uid);
    observations.push_back(vm == vms->second.end() ? NotFoundObservation()
                                                   : ObservationOf(place, vm->second));
  }
  return observations;
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> HypervDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& options) {
  MachineSpec machine;
  machine.options = options;
  DM_ASSIGN_OR_RETURN(Place place, PlaceOf(call, machine));
  const std::string root = place.host->folder + "\\machines";
  DM_ASSIGN_OR_RETURN(const Json rows,
                      place.host->powershell.Run(call, kLookScript, {{"folder", root}}));
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const SeenVm& vm : ParseVms(rows)) {
    const std::string uid = FolderBelow(vm.path, root);
    if (uid.empty() || Text(NotesOf(vm), "orchestrator") != orchestrator_id) continue;
    place.state.set_folder(absl::StrCat(root, "\\", uid));
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(uid);
    *instance.mutable_observation() = ObservationOf(place, vm);
  }
  return instances;
}

absl::StatusOr<std::string> HypervDriver::UpgradeState(DriverCall& /*call*/,
                                                       const MachineSpec& machine) {
  const std::string store = hypervisor::ImportedField(machine, "StorePath");
  const std::string name = hypervisor::ImportedField(machine, "MachineName");
  if (store.empty() || name.empty()) {
    return absl::DataLossError("the imported state has no StorePath or MachineName");
  }
  State state;
  state.set_imported_folder(absl::StrCat(store, "\\machines\\", name));
  const std::string user = hypervisor::ImportedField(machine, "SSHUser");
  state.set_imported_ssh_user(user.empty() ? "docker" : user);
  return state.SerializeAsString();
}

}  // namespace machine::driver::hyperv
