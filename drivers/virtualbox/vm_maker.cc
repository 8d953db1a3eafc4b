#include "drivers/virtualbox/vm_maker.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "drivers/hypervisor/disk_format.h"
#include "drivers/hypervisor/host_ports.h"
#include "drivers/hypervisor/qemu_img.h"
#include "drivers/hypervisor/seed_iso.h"
#include "drivers/sdk/errors.h"
#include "drivers/sdk/ustar.h"
#include "drivers/virtualbox/host_network.h"
#include "services/common/status/status.h"

namespace machine::driver::virtualbox {
namespace {

constexpr char kRecordKey[] = "docker-machine/record";
constexpr char kController[] = "SATA";
// Oracle's range.
constexpr char kMacPrefix[] = "08:00:27";
constexpr absl::Duration kLongestCopy = absl::Minutes(30);
constexpr int64_t kMib = int64_t{1} << 20;
constexpr int64_t kMaxCpus = 64;
constexpr int kSwarmPort = 3376;
constexpr int kSshPort = 22;

// Without colons, as modifyvm takes it.
std::string MacDigits(absl::string_view uid, int index) {
  std::string mac = hypervisor::MacAddress(kMacPrefix, uid, index);
  mac.erase(std::remove(mac.begin(), mac.end(), ':'), mac.end());
  return mac;
}

std::string ShareName(size_t index) { return absl::StrCat("share", index); }

// boot2docker formats the disk that begins with this archive, and puts its files into the account.
std::string Boot2dockerArchive(const std::string& ssh_public_key) {
  constexpr char kMagic[] = "boot2docker, please format-me";
  constexpr uint32_t kFolderMode = 0700;
  constexpr uint32_t kFileMode = 0644;
  const std::string key = absl::StrCat(absl::StripSuffix(ssh_public_key, "\n"), "\n");
  return WriteTar({{.path = kMagic, .mode = kFileMode, .contents = kMagic},
                   {.path = ".ssh/", .mode = kFolderMode, .contents = ""},
                   {.path = ".ssh/authorized_keys", .mode = kFileMode, .contents = key},
                   {.path = ".ssh/authorized_keys2", .mode = kFileMode, .contents = key}});
}

// "Capacity:       2252 MBytes"
absl::StatusOr<int64_t> CapacityMib(common::CallScope& call, VBoxManage& vbox,
                                    const std::string& disk) {
  DM_ASSIGN_OR_RETURN(const std::string text, vbox.Read(call, {"showmediuminfo", "disk", disk}));
  for (const Fields& fields : ParseGroups(text)) {
    const std::vector<std::string> words = absl::StrSplit(FieldOf(fields, "Capacity"), ' ');
    int64_t size = 0;
    if (words.size() == 2 && words[1] == "MBytes" && absl::SimpleAtoi(words[0], &size)) return size;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("VBoxManage showmediuminfo tells no capacity of ", disk));
}

}  // namespace

std::string MachineFolder(absl::string_view folder, absl::string_view uid) {
  return absl::StrCat(folder, "/machines/", uid);
}

absl::StatusOr<std::optional<VmRecord>> ReadRecord(common::CallScope& call, VBoxManage& vbox,
                                                   const std::string& vm) {
  DM_ASSIGN_OR_RETURN(const std::string text, vbox.Read(call, {"getextradata", vm, kRecordKey}));
  const nlohmann::json json =
      nlohmann::json::parse(ParseValue(text), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("settings")) return std::nullopt;
  const auto orchestrator = json.find("orchestrator");
  return VmRecord{.orchestrator_id = orchestrator != json.end() && orchestrator->is_string()
                                         ? orchestrator->get<std::string>()
                                         : std::string(),
                  .settings = json["settings"].dump()};
}

absl::Status CheckNameIsFree(common::CallScope& call, VBoxManage& vbox,
                             const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::string text, vbox.Read(call, {"list", "vms"}));
  for (const ListedVm& vm : ParseVmList(text)) {
    if (vm.name != machine.name || vm.uuid == machine.uid) continue;
    return PreCreateCheckFailed(absl::StrCat("VirtualBox on ", vbox.host().name(),
                                             " has a virtual machine ", vm.name, " (", vm.uuid,
                                             ") already: choose another name, or remove it"));
  }
  return absl::OkStatus();
}

std::string VmMaker::Path(const MachineSpec& machine, absl::string_view leaf) const {
  return absl::StrCat(MachineFolder(folder_, machine.uid), "/", leaf);
}

absl::Status VmMaker::Make(DriverCall& call, const MachineSpec& machine, const Settings& settings) {
  const VirtualMachine vm(vbox_, machine.uid, machine.name);
  DM_ASSIGN_OR_RETURN(std::optional<VmInfo> info, vm.Look(call));
  if (!info.has_value()) {
    call.Progress("Creating VirtualBox VM...");
    DM_RETURN_IF_ERROR(Register(call, machine));
    DM_ASSIGN_OR_RETURN(info, vm.Look(call));
    if (!info.has_value()) return InstanceGone("the virtual machine went while it was made");
  }
  DM_ASSIGN_OR_RETURN(const std::optional<VmRecord> record, ReadRecord(call, vbox_, machine.uid));
  const std::string wanted = FixedSettings(settings);
  if (record.has_value()) {
    DM_RETURN_IF_ERROR(hypervisor::CheckSameSettings(machine.uid, record->settings, wanted));
  } else {
    const nlohmann::ordered_json fresh = {{"orchestrator", call.orchestrator_id()},
                                          {"settings", nlohmann::ordered_json::parse(wanted)}};
    DM_RETURN_IF_ERROR(
        vbox_.Write(call, {"setextradata", machine.uid, kRecordKey, fresh.dump()}).status());
  }
  // The CD is the last that is put in.
  if (!info->Medium(1).empty()) return absl::OkStatus();
  DM_RETURN_IF_ERROR(Configure(call, machine, settings, *info));
  if (info->Medium(0).empty()) DM_RETURN_IF_ERROR(AddDisk(call, machine, settings));
  DM_RETURN_IF_ERROR(AddShares(call, machine, settings, *info));
  return AddCd(call, machine, settings);
}

absl::Status VmMaker::Register(DriverCall& call, const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(CheckNameIsFree(call, vbox_, machine));
  DM_ASSIGN_OR_RETURN(const Version version, vbox_.GetVersion(call));
  const std::string folder = MachineFolder(folder_, machine.uid);
  // What an attempt that ended before the machine was known may have left.
  DM_RETURN_IF_ERROR(hypervisor::RemoveTree(vbox_.host(), call, folder));
  DM_RETURN_IF_ERROR(hypervisor::MakeFolder(vbox_.host(), call, folder));
  std::vector<std::string> args = {"createvm",  "--name",    machine.name, "--uuid",
                                   machine.uid, "--ostype",  "Linux26_64", "--basefolder",
                                   folder,      "--register"};
  if (version.AtLeast(7, 1)) args.insert(args.end(), {"--platform-architecture", "x86"});
  DM_RETURN_IF_ERROR(call.Check());
  return vbox_.Write(call, std::move(args)).status();
}

absl::StatusOr<int64_t> VmMaker::Cpus(DriverCall& call, const Settings& settings) {
  if (settings.cpus > 0) return settings.cpus;
  DM_ASSIGN_OR_RETURN(const std::string text, vbox_.Read(call, {"list", "hostinfo"}));
  for (const Fields& fields : ParseGroups(text)) {
    int64_t count = 0;
    if (absl::SimpleAtoi(FieldOf(fields, "Processor online count"), &count) && count > 0) {
      return std::min(count, kMaxCpus);
    }
  }
  return absl::FailedPreconditionError("VBoxManage list hostinfo tells no number of CPUs");
}

absl::Status VmMaker::Configure(DriverCall& call, const MachineSpec& machine,
                                const Settings& settings, const VmInfo& info) {
  const auto on = [](bool value) { return value ? "on" : "off"; };
  DM_ASSIGN_OR_RETURN(const int64_t cpus, Cpus(call, settings));
  std::vector<std::string> args = {
      "modifyvm", machine.uid, "--cpus", absl::StrCat(cpus), "--memory",
      absl::StrCat(settings.memory_mib), "--acpi", "on", "--ioapic", "on", "--rtcuseutc", "on",
      "--boot1", settings.iso.empty() ? "disk" : "dvd", "--boot2", "none", "--boot3", "none",
      "--boot4", "none",
      // Without a serial port the kernels of cloud images wait long for their console.
      "--uart1", "0x3F8", "4", "--uartmode1", "file", Path(machine, "console.log"), "--nic1", "nat",
      "--nictype1", settings.nat_nic, "--macaddress1", MacDigits(machine.uid, 1),
      "--cableconnected1", "on", "--natdnshostresolver1", on(settings.host_dns_resolver),
      "--natdnsproxy1", on(settings.dns_proxy)};
  if (settings.host_only) {
    DM_ASSIGN_OR_RETURN(const std::string interface, EnsureHostOnly(call, vbox_, settings));
    args.insert(args.end(), {"--nic2", "hostonly", "--hostonlyadapter2", interface, "--nictype2",
                             settings.host_only_nic, "--macaddress2", MacDigits(machine.uid, 2),
                             "--cableconnected2", "on", "--nicpromisc2", settings.promiscuous});
  }
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(vbox_.Write(call, std::move(args)).status());
  DM_RETURN_IF_ERROR(AddPorts(call, machine, settings, info));
  if (info.HasController()) return absl::OkStatus();
  return vbox_
      .Write(call, {"storagectl", machine.uid, "--name", kController, "--add", "sata",
                    "--controller", "IntelAhci", "--portcount", "2", "--bootable", "on"})
      .status();
}

absl::Status VmMaker::AddPorts(DriverCall& call, const MachineSpec& machine,
                               const Settings& settings, const VmInfo& info) {
  const bool whole =
      settings.host_only ? info.Forwarded("ssh").has_value() : info.Forwarded("swarm").has_value();
  if (whole) return absl::OkStatus();
  return vbox_.gate().Run(call, [&]() -> absl::Status {
    // Those of machines that are off, too: VirtualBox itself would not complain.
    DM_ASSIGN_OR_RETURN(const std::string all, vbox_.Read(call, {"list", "--long", "vms"}));
    const std::set<int> taken = NumbersAfter(all, "host port = ");
    DM_ASSIGN_OR_RETURN(
        const int first, hypervisor::ChooseThreePorts(machine.uid, [&](int port) {
          return taken.count(port) == 0 &&
                 (!settings.host.local() || hypervisor::PortIsFree(settings.nat_address, port));
        }));
    std::vector<std::string> args = {"modifyvm", machine.uid};
    // What an attempt has left that ended half way.
    for (const char* const name : {"ssh", "engine"}) {
      if (info.Forwarded(name).has_value()) {
        args.insert(args.end(), {"--natpf1", "delete", name});
      }
    }
    const auto add = [&](absl::string_view name, int host, int guest) {
      args.insert(args.end(), {"--natpf1", absl::StrCat(name, ",tcp,", settings.nat_address, ",",
                                                        host, ",,", guest)});
    };
    add("ssh", first, kSshPort);
    if (!settings.host_only) {
      // The engine listens on the port that its URL names.
      add("engine", first + 1, first + 1);
      add("swarm", first + 2, kSwarmPort);
    }
    return vbox_.Write(call, std::move(args)).status();
  });
}

absl::Status VmMaker::AddDisk(DriverCall& call, const MachineSpec& machine,
                              const Settings& settings) {
  const std::string disk = Path(machine, "disk.vdi");
  // One that is not attached may be half of one. Not known to VirtualBox where it is not there.
  vbox_.Write(call, {"closemedium", "disk", disk, "--delete"}).IgnoreError();
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(hypervisor::RemoveTree(vbox_.host(), call, disk));
  DM_RETURN_IF_ERROR(settings.iso.empty() ? DiskFromImage(call, settings, disk)
                                          : DiskForBoot2docker(call, machine, settings, disk));
  DM_RETURN_IF_ERROR(call.Check());
  return vbox_
      .Write(call, {"storageattach", machine.uid, "--storagectl", kController, "--port", "0",
                    "--device", "0", "--type", "hdd", "--medium", disk})
      .status();
}

absl::Status VmMaker::DiskFromImage(DriverCall& call, const Settings& settings,
                                    const std::string& disk) {
  DM_ASSIGN_OR_RETURN(const std::string image, images_.Fetch(call, settings.guest.image));
  DM_ASSIGN_OR_RETURN(const hypervisor::DiskFormat format,
                      hypervisor::FormatOfFile(vbox_.host(), call, image));
  call.Progress("Creating disk image...");
  switch (format) {
    case hypervisor::DiskFormat::kRaw:
      DM_RETURN_IF_ERROR(vbox_
                             .Write(call, {"convertfromraw", image, disk, "--format", "VDI"},
                                    {.timeout = kLongestCopy})
                             .status());
      break;
    case hypervisor::DiskFormat::kVmdk:
    case hypervisor::DiskFormat::kVdi:
    case hypervisor::DiskFormat::kVhd:
      DM_RETURN_IF_ERROR(vbox_
                             .Write(call, {"clonemedium", "disk", image, disk, "--format", "VDI"},
                                    {.timeout = kLongestCopy})
                             .status());
      // Else VirtualBox would insist that the file of this name stays the same for ever.
      vbox_.Write(call, {"closemedium", "disk", image}).IgnoreError();
      break;
    default:
      DM_RETURN_IF_ERROR(hypervisor::ConvertImage(vbox_.host(), call, image, format, "vdi", disk));
      break;
  }
  DM_ASSIGN_OR_RETURN(const int64_t size_mib, CapacityMib(call, vbox_, disk));
  if (size_mib > settings.disk_mib) {
    return BadOption(kDiskFlag,
                     absl::StrCat("is less than the image has, which is ", size_mib, " MiB"));
  }
  if (size_mib == settings.disk_mib) return absl::OkStatus();
  return vbox_
      .Write(call, {"modifymedium", "disk", disk, "--resize", absl::StrCat(settings.disk_mib)},
             {.timeout = kLongestCopy})
      .status();
}

absl::Status VmMaker::DiskForBoot2docker(DriverCall& call, const MachineSpec& machine,
                                         const Settings& settings, const std::string& disk) {
  call.Progress("Creating disk image...");
  return vbox_
      .Write(call,
             {"convertfromraw", "stdin", disk, absl::StrCat(settings.disk_mib * kMib), "--format",
              "VDI"},
             {.stdin_data = Boot2dockerArchive(machine.ssh_public_key), .timeout = kLongestCopy})
      .status();
}

absl::Status VmMaker::AddShares(DriverCall& call, const MachineSpec& machine,
                                const Settings& settings, const VmInfo& info) {
  for (size_t i = 0; i < settings.shares.size(); ++i) {
    if (info.HasShare(ShareName(i))) continue;
    std::vector<std::string> args = {
        "sharedfolder",           "add", machine.uid, "--name", ShareName(i), "--hostpath",
        settings.shares[i].source};
    if (settings.shares[i].read_only) args.push_back("--readonly");
    DM_RETURN_IF_ERROR(vbox_.Write(call, std::move(args)).status());
  }
  return absl::OkStatus();
}

absl::Status VmMaker::AddCd(DriverCall& call, const MachineSpec& machine,
                            const Settings& settings) {
  std::string path = Path(machine, "seed.iso");
  if (!settings.iso.empty()) {
    DM_ASSIGN_OR_RETURN(path, images_.Fetch(call, {.url = settings.iso, .checksum = ""}));
  } else {
    hypervisor::GuestSeed seed = {.instance_id = machine.uid,
                                  .hostname = machine.name,
                                  .user = settings.guest.ssh_user,
                                  .ssh_public_key = machine.ssh_public_key,
                                  .extra_user_data = settings.guest.user_data};
    for (size_t i = 0; i < settings.shares.size(); ++i) {
      seed.mounts.push_back({.source = ShareName(i),
                             .target = settings.shares[i].target,
                             .type = "vboxsf",
                             .options = settings.shares[i].read_only ? "nofail,ro" : "nofail"});
    }
    for (int i = 1; i <= (settings.host_only ? 2 : 1); ++i) {
      seed.dhcp_interfaces.push_back(hypervisor::MacAddress(kMacPrefix, machine.uid, i));
    }
    // It names the key and may hold the user's secrets.
    DM_RETURN_IF_ERROR(vbox_.host().WriteFile(call, path, 0600, hypervisor::MakeSeedIso(seed)));
  }
  DM_RETURN_IF_ERROR(call.Check());
  return vbox_
      .Write(call, {"storageattach", machine.uid, "--storagectl", kController, "--port", "1",
                    "--device", "0", "--type", "dvddrive", "--medium", path})
      .status();
}

}  // namespace machine::driver::virtualbox
