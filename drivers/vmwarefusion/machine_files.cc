#include "drivers/vmwarefusion/machine_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "drivers/hypervisor/disk_format.h"
#include "drivers/hypervisor/qemu_img.h"
#include "drivers/hypervisor/seed_iso.h"
#include "drivers/sdk/errors.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarefusion {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kRecordFile[] = "machine.json";
constexpr char kVmxFile[] = "machine.vmx";
constexpr char kDiskFile[] = "disk.vmdk";
constexpr char kSeedFile[] = "seed.iso";
constexpr size_t kMostRecord = 1 << 20;
constexpr int64_t kMostCpus = 32;

constexpr char kReleases[] = "https://cloud-images.ubuntu.com/releases/24.04/release/";

hypervisor::ImageSource ImageOf(const Settings& settings, const HostFacts& facts) {
  if (!settings.guest.image.url.empty()) return settings.guest.image;
  // There is no VMDK for ARM.
  const char* const name = facts.arm ? "ubuntu-24.04-server-cloudimg-arm64.img"
                                     : "ubuntu-24.04-server-cloudimg-amd64.vmdk";
  return {.url = absl::StrCat(kReleases, name), .checksum = absl::StrCat(kReleases, "SHA256SUMS")};
}

hypervisor::GuestSeed SeedOf(const MachineSpec& machine, const Settings& settings) {
  hypervisor::GuestSeed seed;
  seed.instance_id = machine.uid;
  seed.hostname = machine.name;
  seed.user = settings.guest.ssh_user;
  seed.ssh_public_key = machine.ssh_public_key;
  seed.extra_user_data = settings.guest.user_data;
  return seed;
}

std::string Text(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

std::string MacOf(absl::string_view uid) {
  std::string mac = hypervisor::MacAddress("00:50:56", uid, 0);
  // The fourth byte of addresses that are given by hand is below 0x40.
  constexpr size_t kFourth = 9;
  mac[kFourth] = static_cast<char>('0' + mac[kFourth] % 4);
  return mac;
}

Vmx MakeVmx(const MachineSpec& machine, const Settings& settings, const HostFacts& facts) {
  const int64_t cpus = settings.cpus > 0 ? settings.cpus : std::min<int64_t>(facts.cpus, kMostCpus);
  Vmx vmx = {
      {"config.version", "8"},
      // Of Fusion 13 and Workstation 17; the first that there is on ARM.
      {"virtualHW.version", "20"},
      {"displayName", machine.name},
      {"guestOS", facts.arm ? "arm-ubuntu-64" : "ubuntu-64"},
      {"numvcpus", absl::StrCat(cpus)},
      {"memsize", absl::StrCat(settings.memory_mib)},
      {"sata0.present", "TRUE"},
      {"sata0:0.present", "TRUE"},
      {"sata0:0.fileName", kDiskFile},
      {"sata0:1.present", "TRUE"},
      {"sata0:1.deviceType", "cdrom-image"},
      {"sata0:1.fileName", kSeedFile},
      {"ethernet0.present", "TRUE"},
      {"ethernet0.connectionType", settings.network},
      {"ethernet0.virtualDev", "vmxnet3"},
      {"ethernet0.addressType", "static"},
      {"ethernet0.address", MacOf(machine.uid)},
      {"serial0.present", "TRUE"},
      {"serial0.fileType", "file"},
      {"serial0.fileName", "console.log"},
      {"vmci0.present", "TRUE"},
      // Nobody is there to answer questions.
      {"msg.autoAnswer", "TRUE"},
      {"powerType.powerOff", "soft"},
      {"powerType.reset", "soft"},
      // For images whose cloud-init asks VMware; others have the CD.
      {"guestinfo.metadata", absl::Base64Escape(hypervisor::MetaData(SeedOf(machine, settings)))},
      {"guestinfo.metadata.encoding", "base64"},
      {"guestinfo.userdata", absl::Base64Escape(hypervisor::UserData(SeedOf(machine, settings)))},
      {"guestinfo.userdata.encoding", "base64"},
  };
  vmx["pciBridge0.present"] = "TRUE";
  // Where devices of PCI Express go.
  for (const char* const bridge : {"pciBridge4", "pciBridge5", "pciBridge6", "pciBridge7"}) {
    vmx[absl::StrCat(bridge, ".present")] = "TRUE";
    vmx[absl::StrCat(bridge, ".virtualDev")] = "pcieRootPort";
    vmx[absl::StrCat(bridge, ".functions")] = "8";
  }
  if (facts.arm) vmx["firmware"] = "efi";
  return vmx;
}

std::string MachineFiles::FolderOf(absl::string_view uid) const {
  return absl::StrCat(folder_, "/machines/", uid);
}

std::string MachineFiles::VmxOf(absl::string_view uid) const {
  return absl::StrCat(FolderOf(uid), "/", kVmxFile);
}

absl::StatusOr<std::optional<MachineRecord>> MachineFiles::Read(common::CallScope& call,
                                                                absl::string_view uid) const {
  const std::string path = absl::StrCat(FolderOf(uid), "/", kRecordFile);
  const absl::StatusOr<std::string> text = vmrun_.host().ReadFile(call, path, kMostRecord);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  DM_RETURN_IF_ERROR(text.status());
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("settings")) {
    return absl::DataLossError(absl::StrCat(path, " is damaged"));
  }
  return MachineRecord{.name = Text(json, "name"),
                       .orchestrator_id = Text(json, "orchestrator"),
                       .settings = json["settings"].dump()};
}

absl::StatusOr<std::vector<std::string>> MachineFiles::List(common::CallScope& call) const {
  const std::string path = FolderOf("");
  DM_ASSIGN_OR_RETURN(const bool there, hypervisor::Exists(vmrun_.host(), call, path));
  if (!there) return std::vector<std::string>();
  DM_ASSIGN_OR_RETURN(const std::string text,
                      hypervisor::RunTool(vmrun_.host(), call, {"ls", "-1", path}));
  return std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty()));
}

absl::Status MachineFiles::Make(DriverCall& call, const MachineSpec& machine,
                                const Settings& settings) const {
  hypervisor::ToolHost& host = vmrun_.host();
  DM_ASSIGN_OR_RETURN(const HostFacts facts, vmrun_.Facts(call));
  const std::string folder = FolderOf(machine.uid);
  const std::string wanted = FixedSettings(settings);
  DM_ASSIGN_OR_RETURN(const std::optional<MachineRecord> record, Read(call, machine.uid));
  if (record.has_value()) {
    DM_RETURN_IF_ERROR(hypervisor::CheckSameSettings(machine.uid, record->settings, wanted));
  } else {
    call.Progress("Creating virtual machine...");
    DM_RETURN_IF_ERROR(hypervisor::MakeFolder(host, call, folder));
    const Json json = {{"uid", machine.uid},
                       {"name", machine.name},
                       {"orchestrator", call.orchestrator_id()},
                       {"settings", Json::parse(wanted)}};
    DM_RETURN_IF_ERROR(
        host.WriteFile(call, absl::StrCat(folder, "/", kRecordFile), 0600, json.dump()));
  }
  DM_ASSIGN_OR_RETURN(const bool whole, hypervisor::Exists(host, call, VmxOf(machine.uid)));
  if (whole) return absl::OkStatus();
  DM_RETURN_IF_ERROR(MakeDisk(call, settings, facts, absl::StrCat(folder, "/", kDiskFile)));
  // Both name the key and may hold the user's secrets.
  DM_RETURN_IF_ERROR(call.Check());
  DM_RETURN_IF_ERROR(host.WriteFile(call, absl::StrCat(folder, "/", kSeedFile), 0600,
                                    hypervisor::MakeSeedIso(SeedOf(machine, settings))));
  return host.WriteFile(call, VmxOf(machine.uid), 0600,
                        WriteVmx(MakeVmx(machine, settings, facts)));
}

absl::Status MachineFiles::MakeDisk(DriverCall& call, const Settings& settings,
                                    const HostFacts& facts, const std::string& disk) const {
  hypervisor::ToolHost& host = vmrun_.host();
  DM_ASSIGN_OR_RETURN(const std::string image, images_.Fetch(call, ImageOf(settings, facts)));
  DM_ASSIGN_OR_RETURN(const hypervisor::DiskFormat format,
                      hypervisor::FormatOfFile(host, call, image));
  call.Progress("Creating disk...");
  // What an attempt has left that ended half way.
  DM_RETURN_IF_ERROR(hypervisor::RemoveTree(host, call, disk));
  std::string source = image;
  const std::string converted = disk + ".part";
  if (format != hypervisor::DiskFormat::kVmdk) {
    DM_RETURN_IF_ERROR(hypervisor::RemoveTree(host, call, converted));
    DM_RETURN_IF_ERROR(hypervisor::ConvertImage(host, call, image, format, "vmdk", converted));
    source = converted;
  }
  // Type 0: one file that grows.
  DM_RETURN_IF_ERROR(vmrun_.Disk(call, {"-r", source, "-t", "0", disk}));
  DM_RETURN_IF_ERROR(hypervisor::RemoveTree(host, call, converted));
  const absl::Status grown = vmrun_.Disk(call, {"-x", absl::StrCat(settings.disk_mib, "MB"), disk});
  if (grown.ok() || !absl::IsFailedPrecondition(grown)) return grown;
  return BadOption(kDiskFlag, absl::StrCat("the image cannot grow to that: ", grown.message()));
}

}  // namespace machine::driver::vmwarefusion
