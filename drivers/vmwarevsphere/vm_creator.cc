#include "drivers/vmwarevsphere/vm_creator.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "drivers/hypervisor/seed_iso.h"
#include "drivers/sdk/cloud/json_api.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevsphere/content_library.h"
#include "drivers/vmwarevsphere/guest_operations.h"
#include "drivers/vmwarevsphere/storage_drs.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

constexpr int64_t kKibPerMib = 1024;
constexpr absl::string_view kIsoName = "boot2docker.iso";
// Of devices that are made in one call and refer to each other.
constexpr absl::string_view kScsiKey = "-101";
constexpr absl::string_view kIdeKey = "200";
constexpr size_t kFirstCardKey = 110;

std::string Typed(absl::string_view name, absl::string_view type, absl::string_view inner) {
  return XmlNode(name, inner, {{"xsi:type", std::string(type)}});
}

std::string DeviceChange(absl::string_view operation, absl::string_view file_operation,
                         absl::string_view type, absl::string_view inner) {
  return XmlNode(
      "deviceChange",
      absl::StrCat(XmlLeaf("operation", operation),
                   file_operation.empty() ? "" : XmlLeaf("fileOperation", file_operation),
                   Typed("device", type, inner)));
}

std::string OptionXml(absl::string_view key, absl::string_view value) {
  return XmlNode("extraConfig",
                 absl::StrCat(XmlLeaf("key", key), Typed("value", "xsd:string", XmlEscape(value))));
}

std::string Base64(absl::string_view text) {
  std::string encoded;
  absl::Base64Escape(text, &encoded);
  return encoded;
}

std::string Connected() {
  return XmlNode("connectable",
                 absl::StrCat(XmlLeaf("startConnected", "true"),
                              XmlLeaf("allowGuestControl", "true"), XmlLeaf("connected", "true")));
}

bool IsNetworkCard(const XmlElement& device) {
  const std::string type = device.XsiType();
  for (const absl::string_view known :
       {"VirtualVmxnet", "VirtualE1000", "VirtualPCNet32", "VirtualSriovEthernetCard"}) {
    if (absl::StartsWith(type, known)) return true;
  }
  return false;
}

int64_t NumberOf(const XmlElement& element, absl::string_view name) {
  int64_t number = 0;
  return absl::SimpleAtoi(element.Text(name), &number) ? number : 0;
}

// The first disk, made larger where it is smaller than `mib`; empty where it is large enough.
std::string LargerDisk(const XmlElement& devices, int64_t mib) {
  for (const XmlElement& device : devices.children()) {
    if (device.XsiType() != "VirtualDisk") continue;
    if (NumberOf(device, "capacityInKB") >= mib * kKibPerMib) return "";
    const XmlElement& backing = device.Child("backing");
    return DeviceChange(
        "edit", "", "VirtualDisk",
        absl::StrCat(XmlLeaf("key", device.Text("key")),
                     Typed("backing", backing.XsiType(),
                           absl::StrCat(XmlLeaf("fileName", backing.Text("fileName")),
                                        XmlLeaf("diskMode", backing.Text("diskMode")))),
                     XmlLeaf("controllerKey", device.Text("controllerKey")),
                     XmlLeaf("unitNumber", device.Text("unitNumber")),
                     XmlLeaf("capacityInKB", absl::StrCat(mib * kKibPerMib))));
  }
  return "";
}

// Card number `i` (from 0), with its backing.
std::string NewCard(size_t i, absl::string_view backing) {
  return DeviceChange(
      "add", "", "VirtualVmxnet3",
      absl::StrCat(XmlLeaf("key", absl::StrCat("-", kFirstCardKey + i)), backing, Connected()));
}

}  // namespace

VmCreator::VmCreator(DriverCall& call, VimClient& client, hypervisor::ImageStore* images,
                     const Timing& timing, const MachineSpec& machine, Settings settings)
    : call_(call),
      client_(client),
      images_(images),
      timing_(timing),
      machine_(machine),
      settings_(std::move(settings)),
      tag_(UidTag(machine.uid)) {}

absl::StatusOr<Observation> VmCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  DM_ASSIGN_OR_RETURN(Properties vm, common::Annotate(EnsureVm(), "creating virtual machine"));
  state_.set_vm(vm.ref.id);
  call_.Checkpoint(state_);
  if (!state_.equipped() && settings_.iso_url.empty()) {
    DM_RETURN_IF_ERROR(common::Annotate(Equip(vm), "setting up virtual machine"));
    state_.set_equipped(true);
    call_.Checkpoint(state_);
  }
  call_.Progress("Powering on virtual machine...");
  DM_RETURN_IF_ERROR(common::Annotate(PowerOn(vm.ref), "powering on"));
  call_.Progress("Waiting for VMware Tools to come online...");
  DM_ASSIGN_OR_RETURN(vm, AwaitAddress(vm.ref));
  if (!settings_.iso_url.empty() && !state_.key_installed() && !machine_.ssh_public_key.empty()) {
    call_.Progress("Provisioning certs and ssh keys...");
    DM_RETURN_IF_ERROR(common::Annotate(
        InstallGuestKey(call_, client_, timing_.retry, vm.ref, machine_.ssh_public_key),
        "putting the ssh key into the guest"));
    state_.set_key_installed(true);
  }
  Observation observation = ObservationOf(vm, settings_);
  SetState(state_, observation);
  return observation;
}

absl::Status VmCreator::ChooseOnce() {
  const auto keep = [](const std::string& chosen, std::string& setting) {
    if (setting.empty()) setting = chosen;
  };
  keep(state_.datacenter(), settings_.datacenter);
  keep(state_.pool(), settings_.pool);
  if (settings_.networks.empty()) {
    settings_.networks.assign(state_.networks().begin(), state_.networks().end());
  }
  if (settings_.iso_url.empty() && settings_.library_item.empty()) {
    keep(state_.clone_from(), settings_.clone_from);
  }
  if (!state_.datastore().empty()) {
    settings_.datastore = state_.datastore();
    settings_.datastore_cluster.clear();
  }
  DM_ASSIGN_OR_RETURN(const Inventory inventory, Inventory::Read(call_, client_, settings_));
  DM_ASSIGN_OR_RETURN(place_, inventory.Choose(call_, client_, settings_));
  if (place_->datastore_cluster.has_value() && place_->source.has_value()) {
    DM_ASSIGN_OR_RETURN(const std::optional<Ref> recommended,
                        RecommendDatastore(call_, client_, *place_, tag_));
    const Node* const node = recommended.has_value() ? inventory.At(*recommended) : nullptr;
    if (node != nullptr) place_->datastore = *node;
  }
  state_.set_datacenter(place_->datacenter.path);
  state_.set_folder(place_->folder.path);
  state_.set_pool(place_->pool.path);
  state_.set_datastore(place_->datastore.path);
  state_.clear_networks();
  for (const Node& network : place_->networks) state_.add_networks(network.path);
  if (place_->source.has_value()) state_.set_clone_from(place_->source->path);
  return absl::OkStatus();
}

absl::StatusOr<Properties> VmCreator::EnsureVm() {
  const auto find = [&] { return FindVm(call_, client_, machine_, state_); };
  if (!state_.vm().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Properties> known, find());
    if (known.has_value()) {
      DM_RETURN_IF_ERROR(CheckSame(*known));
      return *std::move(known);
    }
    state_.clear_vm();
    state_.clear_equipped();
    state_.clear_key_installed();
  }
  DM_RETURN_IF_ERROR(ChooseOnce());
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  return CreateOnce<Properties>(
      call_, timing_.settling, maybe_made, find, [&] { return MakeVm(); },
      [&](const Properties& found) { return CheckSame(found); });
}

// By the name it is found until it is set up, whatever else the server makes of the request.
absl::StatusOr<Properties> VmCreator::MakeVm() {
  Ref vm;
  if (!settings_.iso_url.empty()) {
    const KeepAlive session(client_, call_, timing_.keep_alive);
    DM_RETURN_IF_ERROR(UploadIso());
    call_.Progress("Creating virtual machine...");
    DM_ASSIGN_OR_RETURN(vm, MakeEmpty());
  } else if (!settings_.library_item.empty()) {
    call_.Progress("Deploying virtual machine from content library...");
    const KeepAlive session(client_, call_, timing_.keep_alive);
    ContentLibrary library(call_, client_, timing_.retry);
    DM_ASSIGN_OR_RETURN(const LibraryItem item, library.FindItem(settings_.library_item));
    DM_ASSIGN_OR_RETURN(vm, library.Deploy(item, tag_, *place_));
  } else {
    call_.Progress(absl::StrCat("Cloning ", place_->source->name, "..."));
    DM_ASSIGN_OR_RETURN(vm, CloneTemplate());
  }
  return client_.RetrieveOne(call_, vm, LookPaths());
}

std::string VmCreator::ExtraConfigXml() const {
  const hypervisor::GuestSeed seed = {.instance_id = machine_.uid,
                                      .hostname = HostName(machine_.name),
                                      .user = settings_.ssh_user,
                                      .ssh_public_key = machine_.ssh_public_key,
                                      .extra_user_data = settings_.user_data,
                                      .mounts = {}};
  std::string all = absl::StrCat(
      OptionXml(kUidKey, machine_.uid), OptionXml("guestinfo.metadata", Base64(MetaData(seed))),
      OptionXml("guestinfo.metadata.encoding", "base64"),
      OptionXml("guestinfo.userdata", Base64(UserData(seed))),
      OptionXml("guestinfo.userdata.encoding", "base64"), OptionXml("disk.EnableUUID", "TRUE"));
  if (!call_.orchestrator_id().empty()) {
    absl::StrAppend(&all, OptionXml(kOrchestratorKey, call_.orchestrator_id()));
  }
  for (const auto& [key, value] : settings_.extra_config) {
    absl::StrAppend(&all, OptionXml(key, value));
  }
  return all;
}

absl::StatusOr<Ref> VmCreator::CloneTemplate() {
  std::string location = RefXml("datastore", place_->datastore.ref);
  absl::StrAppend(&location, RefXml("pool", place_->pool.ref));
  if (place_->host.has_value()) absl::StrAppend(&location, RefXml("host", place_->host->ref));
  const std::string config =
      absl::StrCat(XmlLeaf("instanceUuid", machine_.uid), XmlLeaf("annotation", tag_),
                   XmlLeaf("numCPUs", absl::StrCat(settings_.cpus)),
                   XmlLeaf("memoryMB", absl::StrCat(settings_.memory_mib)), ExtraConfigXml());
  DM_ASSIGN_OR_RETURN(
      const XmlElement vm,
      client_.RunTask(call_, place_->source->ref, "CloneVM_Task",
                      absl::StrCat(RefXml("folder", place_->folder.ref), XmlLeaf("name", tag_),
                                   XmlNode("spec", absl::StrCat(XmlNode("location", location),
                                                                XmlLeaf("template", "false"),
                                                                XmlNode("config", config),
                                                                XmlLeaf("powerOn", "false"))))));
  return RefOf(vm);
}

absl::StatusOr<std::string> VmCreator::NetworkBackingXml(const Node& network) {
  if (network.ref.type == "DistributedVirtualPortgroup") {
    DM_ASSIGN_OR_RETURN(
        const Properties group,
        client_.RetrieveOne(call_, network.ref, {"key", "config.distributedVirtualSwitch"}));
    DM_ASSIGN_OR_RETURN(
        const Properties the_switch,
        client_.RetrieveOne(call_, RefOf(group.Get("config.distributedVirtualSwitch")), {"uuid"}));
    return Typed("backing", "VirtualEthernetCardDistributedVirtualPortBackingInfo",
                 XmlNode("port", absl::StrCat(XmlLeaf("switchUuid", the_switch.Text("uuid")),
                                              XmlLeaf("portgroupKey", group.Text("key")))));
  }
  if (network.ref.type == "OpaqueNetwork") {
    DM_ASSIGN_OR_RETURN(
        const Properties opaque,
        client_.RetrieveOne(call_, network.ref,
                            {"summary.opaqueNetworkId", "summary.opaqueNetworkType"}));
    return Typed(
        "backing", "VirtualEthernetCardOpaqueNetworkBackingInfo",
        absl::StrCat(XmlLeaf("opaqueNetworkId", opaque.Text("summary.opaqueNetworkId")),
                     XmlLeaf("opaqueNetworkType", opaque.Text("summary.opaqueNetworkType"))));
  }
  return Typed("backing", "VirtualEthernetCardNetworkBackingInfo",
               absl::StrCat(XmlLeaf("deviceName", network.name), RefXml("network", network.ref)));
}

absl::Status VmCreator::UploadIso() {
  if (images_ == nullptr) {
    return PreCreateCheckFailed("the driver has no folder of its own to keep an ISO in");
  }
  call_.Progress("Fetching boot2docker ISO...");
  DM_ASSIGN_OR_RETURN(const std::string path,
                      images_->Fetch(call_, {.url = settings_.iso_url, .checksum = ""}));
  const std::string folder = IsoFolder(place_->datastore.name, machine_.uid);
  DM_ASSIGN_OR_RETURN(const Service service, client_.ServiceContent(call_));
  const absl::Status made =
      client_
          .Call(call_, service.file_manager, "MakeDirectory",
                absl::StrCat(XmlLeaf("name", folder), RefXml("datacenter", place_->datacenter.ref),
                             XmlLeaf("createParentDirectories", "true")))
          .status();
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  call_.Progress(absl::StrCat("Uploading ISO to datastore ", place_->datastore.name, "..."));
  return client_.PutFile(
      call_,
      client_.Url(absl::StrCat("/folder/", tag_, "-iso/", kIsoName, "?dcPath=",
                               PercentEncode(absl::StripPrefix(place_->datacenter.path, "/")),
                               "&dsName=", PercentEncode(place_->datastore.name))),
      path, "");
}

absl::StatusOr<Ref> VmCreator::MakeEmpty() {
  std::string cards;
  for (size_t i = 0; i < place_->networks.size(); ++i) {
    DM_ASSIGN_OR_RETURN(const std::string network, NetworkBackingXml(place_->networks[i]));
    absl::StrAppend(&cards, NewCard(i, network));
  }
  const std::string devices = absl::StrCat(
      DeviceChange("add", "", "ParaVirtualSCSIController",
                   absl::StrCat(XmlLeaf("key", kScsiKey), XmlLeaf("busNumber", "0"),
                                XmlLeaf("sharedBus", "noSharing"))),
      DeviceChange(
          "add", "create", "VirtualDisk",
          absl::StrCat(
              XmlLeaf("key", "-102"),
              Typed("backing", "VirtualDiskFlatVer2BackingInfo",
                    absl::StrCat(
                        XmlLeaf("fileName", absl::StrCat("[", place_->datastore.name, "]")),
                        XmlLeaf("diskMode", "persistent"), XmlLeaf("thinProvisioned", "true"))),
              XmlLeaf("controllerKey", kScsiKey), XmlLeaf("unitNumber", "0"),
              XmlLeaf("capacityInKB", absl::StrCat(settings_.disk_mib * kKibPerMib)))),
      DeviceChange(
          "add", "", "VirtualCdrom",
          absl::StrCat(XmlLeaf("key", "-103"),
                       Typed("backing", "VirtualCdromIsoBackingInfo",
                             XmlLeaf("fileName",
                                     absl::StrCat(IsoFolder(place_->datastore.name, machine_.uid),
                                                  "/", kIsoName))),
                       Connected(), XmlLeaf("controllerKey", kIdeKey), XmlLeaf("unitNumber", "0"))),
      cards);
  const std::string config = absl::StrCat(
      XmlLeaf("name", machine_.name), XmlLeaf("instanceUuid", machine_.uid),
      XmlLeaf("guestId", "otherLinux64Guest"), XmlLeaf("annotation", tag_),
      XmlNode("files", XmlLeaf("vmPathName", absl::StrCat("[", place_->datastore.name, "]"))),
      XmlLeaf("numCPUs", absl::StrCat(settings_.cpus)),
      XmlLeaf("memoryMB", absl::StrCat(settings_.memory_mib)), devices, ExtraConfigXml());
  std::string arguments = absl::StrCat(XmlNode("config", config), RefXml("pool", place_->pool.ref));
  if (place_->host.has_value()) absl::StrAppend(&arguments, RefXml("host", place_->host->ref));
  const absl::StatusOr<XmlElement> vm =
      client_.RunTask(call_, place_->folder.ref, "CreateVM_Task", arguments);
  if (!vm.ok()) return NameTaken(vm.status());
  return RefOf(*vm);
}

absl::Status VmCreator::CheckSame(const Properties& vm) {
  if (vm.Text("name") == tag_) return absl::OkStatus();  // Not set up yet.
  DM_ASSIGN_OR_RETURN(
      const Properties hardware,
      client_.RetrieveOne(call_, vm.ref, {"config.hardware.numCPU", "config.hardware.memoryMB"}));
  const std::string& cpus = hardware.Text("config.hardware.numCPU");
  const std::string& memory = hardware.Text("config.hardware.memoryMB");
  if (cpus != absl::StrCat(settings_.cpus)) {
    return InstanceDiffers(vm.ref.id, absl::StrCat("it has ", cpus, " CPUs"));
  }
  if (memory != absl::StrCat(settings_.memory_mib)) {
    return InstanceDiffers(vm.ref.id, absl::StrCat("it has ", memory, " MiB of memory"));
  }
  return absl::OkStatus();
}

absl::Status VmCreator::Equip(const Properties& vm) {
  if (vm.Text("runtime.powerState") == "poweredOn") return absl::OkStatus();
  if (!place_.has_value()) DM_RETURN_IF_ERROR(ChooseOnce());
  DM_ASSIGN_OR_RETURN(const Properties now,
                      client_.RetrieveOne(call_, vm.ref, {"config.hardware.device"}));
  const XmlElement& devices = now.Get("config.hardware.device");
  std::string changes = LargerDisk(devices, settings_.disk_mib);
  std::vector<const XmlElement*> cards;
  for (const XmlElement& device : devices.children()) {
    if (IsNetworkCard(device)) cards.push_back(&device);
  }
  if (cards.empty() && place_->networks.empty()) {
    return BadOption(kNetworkFlag, "what is cloned has no network card; name a network");
  }
  for (size_t i = 0; i < place_->networks.size(); ++i) {
    DM_ASSIGN_OR_RETURN(const std::string network, NetworkBackingXml(place_->networks[i]));
    if (i >= cards.size()) {
      absl::StrAppend(&changes, NewCard(i, network));
      continue;
    }
    const XmlElement& card = *cards[i];
    absl::StrAppend(
        &changes, DeviceChange("edit", "", card.XsiType(),
                               absl::StrCat(XmlLeaf("key", card.Text("key")), network, Connected(),
                                            XmlLeaf("controllerKey", card.Text("controllerKey")),
                                            XmlLeaf("unitNumber", card.Text("unitNumber")),
                                            XmlLeaf("addressType", card.Text("addressType")),
                                            XmlLeaf("macAddress", card.Text("macAddress")))));
  }
  std::string config;
  if (vm.Text("name") != machine_.name) {
    DM_ASSIGN_OR_RETURN(const Ref taken,
                        FindByPath(call_, client_, state_.folder(), machine_.name));
    if (!taken.empty()) return NameTaken(ErrorOfFault("DuplicateName", "the name is taken"));
    config = XmlLeaf("name", machine_.name);
  }
  absl::StrAppend(&config, XmlLeaf("instanceUuid", machine_.uid), XmlLeaf("annotation", tag_),
                  XmlLeaf("numCPUs", absl::StrCat(settings_.cpus)),
                  XmlLeaf("memoryMB", absl::StrCat(settings_.memory_mib)), changes,
                  ExtraConfigXml());
  return NameTaken(
      client_.RunTask(call_, vm.ref, "ReconfigVM_Task", XmlNode("spec", config)).status());
}

absl::Status VmCreator::NameTaken(const absl::Status& status) const {
  if (!absl::IsAlreadyExists(status)) return status;
  return common::Annotate(status, absl::StrCat(state_.folder(), " has something of the name ",
                                               machine_.name, " that is not this machine"));
}

absl::Status VmCreator::PowerOn(const Ref& vm) {
  for (int attempt = 1;; ++attempt) {
    DM_ASSIGN_OR_RETURN(const Properties now,
                        client_.RetrieveOne(call_, vm, {"runtime.powerState"}));
    if (now.Text("runtime.powerState") == "poweredOn") return absl::OkStatus();
    const absl::Status status = client_.RunTask(call_, vm, "PowerOnVM_Task", "").status();
    if (!status.ok() && !IsTransient(status) && FaultOf(status) != "InvalidPowerState") {
      return status;
    }
    if (!status.ok()) {
      DM_RETURN_IF_ERROR(PauseBetweenLooks(call_, timing_.retry, attempt, status));
    }
  }
}

absl::StatusOr<Properties> VmCreator::AwaitAddress(const Ref& vm) {
  absl::StatusOr<std::optional<Properties>> there = client_.AwaitProperties<Properties>(
      call_, vm, LookPaths(), call_.deadline(),
      [&](const Properties& seen) -> absl::StatusOr<std::optional<Properties>> {
        if (seen.Text("runtime.powerState") == "poweredOff") {
          DM_RETURN_IF_ERROR(PowerOn(vm));
          return std::nullopt;
        }
        if (ObservationOf(seen, settings_).endpoint().ip_addresses().empty()) return std::nullopt;
        return seen;
      });
  if (!there.ok()) return there.status();
  if (there->has_value()) return **std::move(there);
  return common::Error(absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
                       "the guest reports no address; do VMware Tools run in it?");
}

}  // namespace machine::driver::vmwarevsphere
