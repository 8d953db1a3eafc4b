#include "drivers/qemu/qemu_driver.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/hypervisor/seed_iso.h"
#include "drivers/qemu/qemu_command.h"
#include "drivers/qemu/qmp.h"
#include "drivers/sdk/host_port.h"
#include "services/common/file/file.h"
#include "services/common/process/process.h"
#include "services/common/status/status.h"

namespace machine::driver::qemu {
namespace {

namespace fs = std::filesystem;

// Under software emulation a guest takes its time.
constexpr absl::Duration kDefaultGrace = absl::Minutes(2);
constexpr absl::Duration kSshTimeout = absl::Minutes(10);
// The agent answers at once, or there is none.
constexpr absl::Duration kAgentAnswer = absl::Seconds(2);
constexpr absl::Duration kAgentPoll = absl::Seconds(1);
constexpr int kMostPortChoices = 16;
constexpr int kSshPort = 22;
constexpr int kEnginePort = 2376;
constexpr int64_t kMib = int64_t{1} << 20;

// Where Debian and its like, Fedora and its like, and Arch put EDK II.
constexpr std::pair<absl::string_view, absl::string_view> kFirmwares[] = {
    {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
    {"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
    {"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
    {"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
};

bool IsThere(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

absl::StatusOr<std::optional<Firmware>> FindFirmware(const std::string& wanted) {
  if (wanted == "bios") return std::nullopt;
  if (wanted == "uefi") {
    for (const auto& [code, variables] : kFirmwares) {
      if (IsThere(std::string(code)) && IsThere(std::string(variables))) {
        return Firmware{std::string(code), std::string(variables)};
      }
    }
    return BadOption(kFirmwareFlag, "no UEFI firmware is installed here (Debian's package ovmf)");
  }
  if (!IsThere(wanted)) {
    return BadOption(kFirmwareFlag, absl::StrCat(wanted, " cannot be read on the driver's host"));
  }
  // By the names that EDK II gives to the two halves.
  const size_t place = wanted.rfind("CODE");
  std::string variables = wanted;
  if (place != std::string::npos) variables.replace(place, 4, "VARS");
  const bool has_variables = place != std::string::npos && IsThere(variables);
  return Firmware{wanted, has_variables ? variables : ""};
}

absl::Status CheckHost(const Settings& settings) {
  for (const absl::string_view program : {kSystemProgram, absl::string_view("qemu-img")}) {
    if (!common::FindProgram(program).ok()) {
      return PreCreateCheckFailed(absl::StrCat(program,
                                               " is not installed on the driver's host "
                                               "(Debian: qemu-system-x86, qemu-utils)"));
    }
  }
  const int64_t memory_mib =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / kMib;
  if (settings.memory_mib > memory_mib) {
    return PreCreateCheckFailed(
        absl::StrCat("--", kMemoryFlag, ": the driver's host has ", memory_mib, " MiB"));
  }
  for (const auto& [flag, name] :
       {std::pair(kBridgeFlag, settings.bridge), std::pair(kTapFlag, settings.tap)}) {
    if (!name.empty() && !IsThere(absl::StrCat("/sys/class/net/", name))) {
      return PreCreateCheckFailed(
          absl::StrCat("--", flag, ": the driver's host has no interface ", name));
    }
  }
  for (const Share& share : settings.shares) {
    std::error_code error;
    if (!fs::is_directory(share.source, error)) {
      return PreCreateCheckFailed(
          absl::StrCat("--", kShareFlag, ": the driver's host has no folder ", share.source));
    }
  }
  return FindFirmware(settings.firmware).status();
}

std::string Seed(const MachineSpec& machine, const Settings& settings) {
  hypervisor::GuestSeed seed = {.instance_id = machine.uid,
                                .hostname = machine.name,
                                .user = settings.ssh_user,
                                .ssh_public_key = machine.ssh_public_key,
                                .extra_user_data = settings.user_data};
  for (size_t i = 0; i < settings.shares.size(); ++i) {
    const Share& share = settings.shares[i];
    seed.mounts.push_back(
        {.source = ShareTag(i),
         .target = share.target,
         .type = "9p",
         .options = absl::StrCat("trans=virtio,version=9p2000.L,msize=262144,nofail",
                                 share.read_only ? ",ro" : "")});
  }
  return hypervisor::MakeSeedIso(seed);
}

void FillIn(const MachineFile& file, const std::string& host, Observation& observation) {
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  endpoint.add_ip_addresses(host);
  endpoint.set_ssh_host(host);
  endpoint.set_ssh_user(file.ssh_user);
  endpoint.set_ssh_port(file.ports.has_value() ? file.ports->ssh() : kSshPort);
  endpoint.set_docker_url(absl::StrCat(
      "tcp://", HostPort(host, file.ports.has_value() ? file.ports->engine() : kEnginePort)));
}

bool IsUp(MachineState state) {
  return state == machine::v1::MACHINE_STATE_RUNNING || state == machine::v1::MACHINE_STATE_PAUSED;
}

State StateFor(const MachineFile& file, const std::string& folder) {
  State state;
  state.set_folder(folder);
  if (file.ports.has_value()) *state.mutable_ports() = *file.ports;
  return state;
}

std::string DefaultImage() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string folder = cache != nullptr && *cache == '/'
                                 ? cache
                                 : absl::StrCat(home == nullptr ? "/root" : home, "/.cache");
  return folder + "/machine-hostimage/bookworm-amd64.qcow2";
}

}  // namespace

DriverInfo QemuDriver::info() const {
  DriverInfo info;
  info.name = "qemu";
  info.capabilities = {::driver::v1::CAPABILITY_LIST_INSTANCES, ::driver::v1::CAPABILITY_KILL,
                       ::driver::v1::CAPABILITY_PAUSE, ::driver::v1::CAPABILITY_POWER,
                       ::driver::v1::CAPABILITY_RESTART};
  info.ssh_timeout = kSshTimeout;
#if !defined(__linux__) || !defined(__x86_64__)
  info.unsupported_reason = "the qemu driver runs on Linux on x86-64 only";
#endif
  return info;
}

Flags QemuDriver::flags() const { return QemuFlags(); }

absl::Status QemuDriver::Init(const DriverEnvironment& environment) {
  folder_ = environment.data_dir;
  machines_ = std::make_unique<MachineFolders>(folder_ + "/machines");
  images_ = std::make_unique<BaseImages>(host_, folder_, DefaultImage());
  accelerators_ = std::make_unique<Accelerators>(host_, folder_, kvm_device_);
  return absl::OkStatus();
}

absl::Status QemuDriver::RequireFolder() const {
  if (folder_.empty()) {
    return absl::FailedPreconditionError(
        "the qemu driver has no folder for disks: start it with --data-dir");
  }
  return common::EnsurePrivateDir(folder_);
}

absl::Status QemuDriver::Validate(Options& options) const { return ReadSettings(options).status(); }

absl::Status QemuDriver::PreCreateCheck(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_RETURN_IF_ERROR(RequireFolder());
  DM_RETURN_IF_ERROR(CheckHost(settings));
  DM_RETURN_IF_ERROR(images_->Check(call, settings));
  return accelerators_->Choose(call, settings.accelerator).status();
}

absl::StatusOr<std::optional<QemuDriver::Found>> QemuDriver::Find(absl::string_view uid) const {
  DM_RETURN_IF_ERROR(RequireFolder());
  DM_ASSIGN_OR_RETURN(std::optional<MachineFile> file, machines_->Read(uid));
  if (!file.has_value()) return std::nullopt;
  DM_ASSIGN_OR_RETURN(std::string folder, machines_->PathOf(uid));
  return Found{*std::move(file), std::move(folder)};
}

absl::StatusOr<QemuDriver::Found> QemuDriver::Require(const MachineSpec& machine) const {
  DM_ASSIGN_OR_RETURN(std::optional<Found> found, Find(machine.uid));
  if (found.has_value()) return *std::move(found);
  return InstanceGone(
      absl::StrCat("there is no virtual machine of machine ", machine.name, " in ", folder_));
}

absl::StatusOr<QemuDriver::Found> QemuDriver::AdoptOrAdd(DriverCall& call,
                                                         const MachineSpec& machine,
                                                         const Settings& settings) {
  DM_ASSIGN_OR_RETURN(std::optional<Found> found, Find(machine.uid));
  if (found.has_value()) {
    DM_RETURN_IF_ERROR(CheckSameSettings(machine.uid, found->file.settings, settings));
    return *std::move(found);
  }
  DM_ASSIGN_OR_RETURN(const std::string image, images_->Fetch(call, settings));
  DM_RETURN_IF_ERROR(call.Check());
  MachineFile file = {.uid = machine.uid,
                      .name = machine.name,
                      .orchestrator_id = call.orchestrator_id(),
                      .settings = FixedSettings(settings),
                      .base_image = "",
                      .base_format = "",
                      .ssh_user = settings.ssh_user,
                      .ports = std::nullopt,
                      .address = settings.address};
  DM_RETURN_IF_ERROR(machines_->Add(file, settings, [&](MachineFile& unfinished) {
    return images_->Keep(call, settings, image, unfinished);
  }));
  DM_ASSIGN_OR_RETURN(std::string folder, machines_->PathOf(machine.uid));
  return Found{std::move(file), std::move(folder)};
}

absl::Status QemuDriver::MakeFiles(DriverCall& call, const MachineSpec& machine,
                                   const Settings& settings, const Found& found) {
  const std::string disk = absl::StrCat(found.folder, "/", kDiskFile);
  std::error_code error;
  if (!fs::exists(disk, error)) {
    call.Progress("Creating disk...");
    const std::string part = disk + ".part";
    DM_RETURN_IF_ERROR(hypervisor::RunTool(host_, call,
                                           {"qemu-img", "create", "-q", "-f", "qcow2", "-F",
                                            found.file.base_format, "-b", found.file.base_image,
                                            "--", part, absl::StrCat(settings.disk_mib, "M")})
                           .status());
    DM_RETURN_IF_ERROR(call.Check());
    fs::rename(part, disk, error);
    if (error) return absl::ErrnoToStatus(error.value(), disk);
  }
  const std::string seed = absl::StrCat(found.folder, "/", kSeedFile);
  if (!fs::exists(seed, error)) {
    // It names the key and may hold the user's secrets.
    DM_RETURN_IF_ERROR(host_.WriteFile(call, seed, 0600, Seed(machine, settings)));
  }
  DM_ASSIGN_OR_RETURN(const std::optional<Firmware> firmware, FindFirmware(settings.firmware));
  const std::string variables = absl::StrCat(found.folder, "/", kVariablesFile);
  if (firmware.has_value() && !firmware->variables.empty() && !fs::exists(variables, error)) {
    DM_ASSIGN_OR_RETURN(const std::string fresh, common::ReadFile(firmware->variables));
    DM_RETURN_IF_ERROR(host_.WriteFile(call, variables, 0600, fresh));
  }
  return absl::OkStatus();
}

absl::Status QemuDriver::PowerOn(DriverCall& call, const Settings& settings, Found& found,
                                 bool creating) {
  const VirtualMachine vm = found.vm();
  DM_ASSIGN_OR_RETURN(const MachineState state, vm.State(call));
  if (state == machine::v1::MACHINE_STATE_PAUSED) return vm.Continue(call);
  if (state != machine::v1::MACHINE_STATE_STOPPED) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const Accelerator accelerator,
                      accelerators_->Choose(call, settings.accelerator));
  if (!accelerator.reason.empty()) {
    call.Progress(absl::StrCat(
        "Running by software emulation, many times slower than KVM, because ", accelerator.reason));
  }
  DM_ASSIGN_OR_RETURN(const std::optional<Firmware> firmware, FindFirmware(settings.firmware));
  call.Progress("Starting virtual machine...");
  for (int choice = 1;; ++choice) {
    const absl::Status launched = vm.Launch(
        call, QemuCommand(found.file, settings, found.folder, accelerator.name, firmware));
    if (!creating || !PortIsTaken(launched) || choice == kMostPortChoices) return launched;
    DM_RETURN_IF_ERROR(machines_->ChooseOtherPorts(found.file, settings));
    call.Checkpoint(StateFor(found.file, found.folder));
  }
}

absl::StatusOr<Observation> QemuDriver::Create(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  call.Progress("Creating virtual machine...");
  DM_ASSIGN_OR_RETURN(Found found, AdoptOrAdd(call, machine, settings));
  call.Checkpoint(StateFor(found.file, found.folder));
  DM_RETURN_IF_ERROR(MakeFiles(call, machine, settings, found));
  DM_RETURN_IF_ERROR(PowerOn(call, settings, found, /*creating=*/true));
  return ObserveStarted(call, found);
}

absl::StatusOr<Observation> QemuDriver::Start(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(Found found, Require(machine));
  // All is there, unless a create was given up half way.
  DM_RETURN_IF_ERROR(MakeFiles(call, machine, settings, found));
  DM_RETURN_IF_ERROR(PowerOn(call, settings, found, /*creating=*/false));
  return ObserveStarted(call, found);
}

absl::StatusOr<Observation> QemuDriver::Stop(DriverCall& call, const MachineSpec& machine,
                                             std::optional<absl::Duration> grace) {
  DM_ASSIGN_OR_RETURN(const Found found, Require(machine));
  call.Progress("Stopping virtual machine...");
  DM_RETURN_IF_ERROR(found.vm().PowerOff(call, grace.value_or(kDefaultGrace)));
  return Observe(call, found);
}

absl::StatusOr<Observation> QemuDriver::Kill(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Found found, Require(machine));
  call.Progress("Killing virtual machine...");
  DM_RETURN_IF_ERROR(found.vm().Quit(call));
  return Observe(call, found);
}

absl::StatusOr<Observation> QemuDriver::Restart(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(Found found, Require(machine));
  call.Progress("Restarting virtual machine...");
  DM_RETURN_IF_ERROR(found.vm().PowerOff(call, kDefaultGrace));
  DM_RETURN_IF_ERROR(PowerOn(call, settings, found, /*creating=*/false));
  return ObserveStarted(call, found);
}

absl::Status QemuDriver::Remove(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(RequireFolder());
  DM_ASSIGN_OR_RETURN(const std::string folder, machines_->PathOf(machine.uid));
  call.Progress("Removing virtual machine...");
  // Also where the machine's file cannot be read.
  DM_RETURN_IF_ERROR(VirtualMachine(machine.name, machine.uid, folder).Quit(call));
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(machines_->Remove(machine.uid));
  images_->Sweep(*machines_);
  return absl::OkStatus();
}

absl::StatusOr<Observation> QemuDriver::Observe(const common::CallScope& call,
                                                const Found& found) const {
  DM_ASSIGN_OR_RETURN(const MachineState state, found.vm().State(call));
  Observation observation;
  observation.set_state(state);
  observation.set_instance_id(found.file.uid);
  SetState(StateFor(found.file, found.folder), observation);
  if (!IsUp(state)) return observation;
  if (found.file.ports.has_value()) {
    FillIn(found.file, found.file.address, observation);
  } else if (state == machine::v1::MACHINE_STATE_RUNNING) {
    const auto addresses = GuestAddresses(found.folder, MacAddress(found.file.uid),
                                          absl::Now() + std::min(kAgentAnswer, call.Remaining()));
    if (addresses.ok() && !addresses->empty()) FillIn(found.file, addresses->front(), observation);
  }
  return observation;
}

absl::StatusOr<Observation> QemuDriver::ObserveStarted(DriverCall& call, const Found& found) const {
  for (bool told = false;; told = true) {
    DM_ASSIGN_OR_RETURN(Observation observation, Observe(call, found));
    if (observation.state() == machine::v1::MACHINE_STATE_STOPPED) {
      return common::Error(absl::StatusCode::kFailedPrecondition,
                           machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                           absl::StrCat("the virtual machine ", found.file.name,
                                        " ended as soon as it was started"));
    }
    if (observation.has_endpoint()) return observation;
    if (!told) call.Progress("Waiting for the guest's agent to tell its address...");
    DM_RETURN_IF_ERROR(call.Sleep(kAgentPoll));
  }
}

absl::StatusOr<Observation> QemuDriver::Inspect(DriverCall& call, const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::optional<Found> found, Find(machine.uid));
  if (found.has_value()) return Observe(call, *found);
  Observation observation;
  observation.set_state(machine::v1::MACHINE_STATE_NOT_FOUND);
  return observation;
}

absl::StatusOr<std::vector<::driver::v1::ListInstancesResponse>> QemuDriver::ListInstances(
    DriverCall& call, absl::string_view orchestrator_id, const Options& /*options*/) {
  DM_RETURN_IF_ERROR(RequireFolder());
  std::vector<::driver::v1::ListInstancesResponse> instances;
  for (const MachineFile& file : machines_->List()) {
    if (file.orchestrator_id != orchestrator_id) continue;
    DM_ASSIGN_OR_RETURN(std::string folder, machines_->PathOf(file.uid));
    ::driver::v1::ListInstancesResponse& instance = instances.emplace_back();
    instance.set_machine_uid(file.uid);
    absl::StatusOr<Observation> observation = Observe(call, Found{file, std::move(folder)});
    if (observation.ok()) {
      *instance.mutable_observation() = *std::move(observation);
    } else {
      instance.mutable_observation()->set_state(machine::v1::MACHINE_STATE_TIMEOUT);
    }
  }
  return instances;
}

}  // namespace machine::driver::qemu
