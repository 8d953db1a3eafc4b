#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevcloudair/catalog.h"
#include "drivers/vmwarevcloudair/machine_vapp.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

std::string Info(absl::string_view text) { return XmlLeaf("ovf:Info", text); }

// One create of one machine.
class Creator {
 public:
  Creator(DriverCall& call, VcdApi& api, const Timing& timing, const MachineSpec& machine,
          const Settings& settings)
      : call_(call),
        api_(api),
        timing_(timing),
        machine_(machine),
        settings_(settings),
        tag_(UidTag(machine.uid)) {}

  absl::StatusOr<Observation> Run() {
    DM_RETURN_IF_ERROR(machine_.ParseState(state_));
    DM_ASSIGN_OR_RETURN(const Place place, Choose(call_, api_, settings_));
    if (!settings_.public_ip.empty()) {
      DM_RETURN_IF_ERROR(GatewayOf(place)->Check(call_, AccessTo(machine_, settings_)));
    }
    DM_ASSIGN_OR_RETURN(Instance instance, common::Annotate(EnsureVapp(place), "creating vApp"));
    state_.set_vapp(instance.vapp);
    call_.Checkpoint(state_);
    DM_ASSIGN_OR_RETURN(instance, AwaitVm());
    if (instance.status != "POWERED_ON") {
      DM_RETURN_IF_ERROR(common::Annotate(SetHardware(instance), "setting CPUs and memory"));
    } else {
      DM_RETURN_IF_ERROR(CheckSame(instance));
    }
    call_.Progress("Powering on vApp...");
    DM_ASSIGN_OR_RETURN(instance, AwaitAddress());
    if (!settings_.public_ip.empty()) {
      call_.Progress("Opening edge gateway...");
      state_.set_gateway(place.gateway.href);
      call_.Checkpoint(state_);
      PublicAccess access = AccessTo(machine_, settings_);
      access.internal_ip = instance.ip;
      DM_RETURN_IF_ERROR(common::Annotate(GatewayOf(place)->Open(call_, access),
                                          "making rules of the edge gateway"));
    }
    Observation observation = ObservationOf(instance, settings_);
    SetState(state_, observation);
    return observation;
  }

 private:
  std::unique_ptr<EdgeGateway> GatewayOf(const Place& place) {
    return EdgeGatewayAt(api_, timing_.poll, place.gateway.href);
  }

  absl::StatusOr<std::optional<Instance>> Find() { return FindInstance(call_, api_, machine_); }

  absl::StatusOr<Instance> EnsureVapp(const Place& place) {
    const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
    state_.set_create_requested(true);
    call_.Checkpoint(state_);
    return CreateOnce<Instance>(
        call_, timing_.settling, maybe_made, [&] { return Find(); },
        [&]() -> absl::StatusOr<Instance> {
          call_.Progress("Composing vApp...");
          DM_ASSIGN_OR_RETURN(
              const XmlElement vapp,
              api_.Send(call_, "POST", absl::StrCat(place.vdc.href, "/action/composeVApp"),
                        {"vcloud.composeVAppParams", ComposeBody(place)}));
          return Instance{.vapp = vapp.Attribute("href"),
                          .vm = "",
                          .name = tag_,
                          .status = "UNRESOLVED",
                          .ip = ""};
        },
        [](const Instance&) { return absl::OkStatus(); });
  }

  std::string ComposeBody(const Place& place) const {
    const std::string parent = XmlNode("ParentNetwork", "", {{"href", place.network.href}});
    const std::string networks = XmlNode(
        "NetworkConfigSection",
        absl::StrCat(
            Info("networks"),
            XmlNode("NetworkConfig",
                    XmlNode("Configuration", absl::StrCat(parent, XmlLeaf("FenceMode", "bridged"))),
                    {{"networkName", place.network.name}})));
    const std::string connection =
        XmlNode("NetworkConnectionSection",
                absl::StrCat(Info("connection"), XmlLeaf("PrimaryNetworkConnectionIndex", "0"),
                             XmlNode("NetworkConnection",
                                     absl::StrCat(XmlLeaf("NetworkConnectionIndex", "0"),
                                                  XmlLeaf("IsConnected", "true"),
                                                  XmlLeaf("IpAddressAllocationMode", "POOL")),
                                     {{"network", place.network.name}})));
    const std::string guest = XmlNode(
        "GuestCustomizationSection",
        absl::StrCat(Info("guest"), XmlLeaf("Enabled", "true"), XmlLeaf("ChangeSid", "false"),
                     XmlLeaf("AdminPasswordEnabled", "false"),
                     XmlLeaf("CustomizationScript", GuestScript()),
                     XmlLeaf("ComputerName", HostName(machine_.name))));
    const std::string item = XmlNode(
        "SourcedItem",
        absl::StrCat(
            XmlNode("Source", "", {{"href", place.source.href}}),
            XmlNode("VmGeneralParams", absl::StrCat(XmlLeaf("Name", HostName(machine_.name)),
                                                    XmlLeaf("NeedsCustomization", "true"))),
            XmlNode("InstantiationParams", absl::StrCat(connection, guest, UserData()))));
    // Its name makes it the machine's, and the only one: a second of that name is refused.
    return XmlNode("ComposeVAppParams",
                   absl::StrCat(XmlLeaf("Description", Description()),
                                XmlNode("InstantiationParams", networks), item,
                                XmlLeaf("AllEULAsAccepted", "true")),
                   {{"xmlns", kVcloudNamespace},
                    {"xmlns:ovf", kOvfNamespace},
                    {"name", tag_},
                    {"deploy", "false"},
                    {"powerOn", "false"}});
  }

  // cloud-init reads it from the OVF environment.
  std::string UserData() const {
    if (settings_.user_data.empty()) return "";
    std::string encoded;
    absl::Base64Escape(settings_.user_data, &encoded);
    return XmlNode("ovf:ProductSection",
                   absl::StrCat(Info("properties"), XmlNode("ovf:Property", "",
                                                            {{"ovf:key", "user-data"},
                                                             {"ovf:type", "string"},
                                                             {"ovf:userConfigurable", "true"},
                                                             {"ovf:value", encoded}})));
  }

  std::string Description() const {
    return absl::StrCat(
        kMachineTag, " ",
        call_.orchestrator_id().empty() ? "" : OrchestratorTag(call_.orchestrator_id()));
  }

  // Runs before and after the guest is customised; it is to run once.
  std::string GuestScript() const {
    const std::string& user = settings_.ssh_user;
    return absl::StrCat(
        "#!/bin/sh\n[ \"$1\" = precustomization ] && exit 0\n", "id ", user,
        " >/dev/null 2>&1 || useradd -m -s /bin/bash ", user, "\nhome=$(getent passwd ", user,
        " | cut -d: -f6)\ninstall -d -m 700 -o ", user, " \"$home/.ssh\"\necho '",
        machine_.ssh_public_key, "' >\"$home/.ssh/authorized_keys\"\nchown ", user,
        " \"$home/.ssh/authorized_keys\"\nchmod 600 \"$home/.ssh/authorized_keys\"\necho '", user,
        " ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-docker-machine\n"
        "chmod 440 /etc/sudoers.d/90-docker-machine\n");
  }

  // Waits until the vApp is composed.
  absl::StatusOr<Instance> AwaitVm() {
    return Await<Instance>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
      DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, Find());
      if (!instance.has_value()) {
        return InstanceGone("the vApp is gone before its machine was there");
      }
      DM_ASSIGN_OR_RETURN(const XmlElement vapp, api_.Get(call_, instance->vapp));
      DM_RETURN_IF_ERROR(api_.AwaitTasks(call_, vapp));
      if (instance->vm.empty() || instance->status == "UNRESOLVED") return std::nullopt;
      return instance;
    });
  }

  absl::Status CheckSame(const Instance& instance) {
    DM_ASSIGN_OR_RETURN(const XmlElement vm, api_.Get(call_, instance.vm));
    const XmlElement& hardware = vm.Child("VmSpecSection");
    const std::string id = instance.vapp.substr(instance.vapp.rfind('/') + 1);
    if (hardware.Text("NumCpus") != absl::StrCat(settings_.cpus)) {
      return InstanceDiffers(id, absl::StrCat("it has ", hardware.Text("NumCpus"), " CPUs"));
    }
    const std::string& memory = hardware.Child("MemoryResourceMb").Text("Configured");
    if (memory != absl::StrCat(settings_.memory_mib)) {
      return InstanceDiffers(id, absl::StrCat("it has ", memory, " MiB of memory"));
    }
    return absl::OkStatus();
  }

  absl::Status SetHardware(const Instance& instance) {
    DM_ASSIGN_OR_RETURN(const XmlElement vm, api_.Get(call_, instance.vm));
    const XmlElement& hardware = vm.Child("VmSpecSection");
    const std::string cpus = absl::StrCat(settings_.cpus);
    const std::string memory = absl::StrCat(settings_.memory_mib);
    if (hardware.Text("NumCpus") == cpus &&
        hardware.Child("MemoryResourceMb").Text("Configured") == memory) {
      return absl::OkStatus();
    }
    const std::string section = XmlNode(
        "VmSpecSection",
        absl::StrCat(Info("hardware"), XmlLeaf("NumCpus", cpus), XmlLeaf("NumCoresPerSocket", "1"),
                     XmlNode("MemoryResourceMb", XmlLeaf("Configured", memory)),
                     XmlLeaf("HardwareVersion", hardware.Text("HardwareVersion"))),
        {{"Modified", "true"}});
    return api_.Run(call_, "POST", absl::StrCat(instance.vm, "/action/reconfigureVm"),
                    {"vcloud.vm", XmlNode("Vm", section,
                                          {{"xmlns", kVcloudNamespace},
                                           {"xmlns:ovf", kOvfNamespace},
                                           {"name", vm.Attribute("name")}})});
  }

  // Powers it on, and waits until it has an address.
  absl::StatusOr<Instance> AwaitAddress() {
    return Await<Instance>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
      DM_ASSIGN_OR_RETURN(Instance instance, RequireInstance(call_, api_, machine_));
      if (instance.status != "POWERED_ON") {
        DM_RETURN_IF_ERROR(
            api_.Run(call_, "POST", absl::StrCat(instance.vapp, "/power/action/powerOn")));
        return std::nullopt;
      }
      if (instance.ip.empty()) return std::nullopt;
      return instance;
    });
  }

  DriverCall& call_;
  VcdApi& api_;
  const Timing& timing_;
  const MachineSpec& machine_;
  const Settings& settings_;
  const std::string tag_;
  State state_;
};

}  // namespace

absl::StatusOr<Observation> CreateMachine(DriverCall& call, VcdApi& api, const Timing& timing,
                                          const MachineSpec& machine, const Settings& settings) {
  return Creator(call, api, timing, machine, settings).Run();
}

}  // namespace machine::driver::vmwarevcloudair
