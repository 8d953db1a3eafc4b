#include "drivers/vmwarevsphere/machine_vm.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "drivers/vmwarevsphere/inventory.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevsphere {
namespace {

// The connection of a virtual machine, where it is none, else its power state.
// https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/ (VirtualMachinePowerState,
// VirtualMachineConnectionState)
constexpr StateWord kStates[] = {
    {"poweredOn", machine::v1::MACHINE_STATE_RUNNING},
    {"poweredOff", machine::v1::MACHINE_STATE_STOPPED},
    {"suspended", machine::v1::MACHINE_STATE_SAVED},
    {"disconnected", machine::v1::MACHINE_STATE_TIMEOUT},
    {"inaccessible", machine::v1::MACHINE_STATE_ERROR},
    {"invalid", machine::v1::MACHINE_STATE_ERROR},
    {"orphaned", machine::v1::MACHINE_STATE_ERROR},
};

bool IsLinkLocal(absl::string_view address) {
  return absl::StartsWith(address, "fe80:") || absl::StartsWith(address, "169.254.") ||
         absl::StartsWith(address, "127.") || address == "::1";
}

void AddAddress(absl::string_view address, std::vector<std::string>& addresses) {
  if (address.empty() || IsLinkLocal(address)) return;
  if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) return;
  addresses.emplace_back(address);
}

// Those of the machine's network cards; not of bridges in the guest, such as the engine's own.
std::vector<std::string> AddressesOf(const Properties& vm) {
  std::vector<std::string> addresses;
  for (const XmlElement& card : vm.Get("guest.net").children()) {
    if (card.Text("deviceConfigId") == "-1") continue;
    for (const XmlElement* const address : card.Children("ipAddress")) {
      AddAddress(address->text(), addresses);
    }
  }
  const std::string& primary = vm.Text("guest.ipAddress");
  if (addresses.empty()) AddAddress(primary, addresses);
  std::stable_sort(addresses.begin(), addresses.end(),
                   [&](const std::string& a, const std::string& b) {
                     const auto rank = [&](const std::string& address) {
                       return address == primary ? 0 : absl::StrContains(address, ':') ? 2 : 1;
                     };
                     return rank(a) < rank(b);
                   });
  return addresses;
}

// The properties of `vm` where it is the machine's.
absl::StatusOr<std::optional<Properties>> LookIfOurs(const common::CallScope& call,
                                                     VimClient& client, const Ref& vm,
                                                     const std::string& uid, bool by_name) {
  std::vector<std::string> paths = LookPaths();
  paths.emplace_back("config.extraConfig");
  absl::StatusOr<Properties> found = client.RetrieveOne(call, vm, paths);
  if (absl::IsNotFound(found.status())) return std::nullopt;
  if (!found.ok()) return found.status();
  if (found->Text("config.instanceUuid") == uid || ExtraConfigOf(*found, kUidKey) == uid) {
    return *std::move(found);
  }
  if (by_name && found->Text("name") == UidTag(uid)) return *std::move(found);
  if (found->Text("config.instanceUuid").empty()) {
    return common::Error(
        absl::StatusCode::kUnavailable, machine::v1::ERROR_REASON_PROVIDER_DOWN,
        absl::StrCat("virtual machine ", found->Text("name"), " is still being made at vSphere"));
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<Properties>> FindImported(const common::CallScope& call,
                                                       VimClient& client,
                                                       const MachineSpec& machine,
                                                       const State& state) {
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  DM_ASSIGN_OR_RETURN(const Node datacenter, ChooseDatacenter(call, client, settings));
  // The original put it into --vmwarevsphere-folder, which is below the datacenter's "vm".
  std::string folder = settings.folder;
  if (!absl::StartsWith(folder, "/")) {
    folder = absl::StrCat(datacenter.path, "/vm", folder.empty() ? "" : "/", folder);
  }
  DM_ASSIGN_OR_RETURN(const Ref vm, FindByPath(call, client, folder, state.imported_name()));
  if (vm.empty()) return std::nullopt;
  absl::StatusOr<Properties> found = client.RetrieveOne(call, vm, LookPaths());
  if (absl::IsNotFound(found.status())) return std::nullopt;
  return found;
}

}  // namespace

std::string ExtraConfigOf(const Properties& vm, absl::string_view key) {
  for (const XmlElement& option : vm.Get("config.extraConfig").children()) {
    if (option.Text("key") == key) return option.Text("value");
  }
  return "";
}

std::vector<std::string> LookPaths() {
  return {"name",
          "config.instanceUuid",
          "runtime.connectionState",
          "runtime.powerState",
          "guest.ipAddress",
          "guest.net"};
}

MachineState StateOfVm(absl::string_view connection, absl::string_view power) {
  return StateOf(kStates, connection.empty() || connection == "connected" ? power : connection);
}

Observation ObservationOf(const Properties& vm, const Settings& settings) {
  Observation observation;
  observation.set_state(
      StateOfVm(vm.Text("runtime.connectionState"), vm.Text("runtime.powerState")));
  observation.set_instance_id(vm.ref.id);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    for (const std::string& address : AddressesOf(vm)) endpoint.add_ip_addresses(address);
  }
  endpoint.set_ssh_port(settings.ssh_port);
  endpoint.set_ssh_user(settings.ssh_user);
  if (endpoint.ip_addresses().empty()) return observation;
  const std::string& address = endpoint.ip_addresses(0);
  const bool ipv6 = absl::StrContains(address, ':');
  endpoint.set_ssh_host(address);
  endpoint.set_docker_url(
      absl::StrCat("tcp://", ipv6 ? "[" : "", address, ipv6 ? "]" : "", ":", kEnginePort));
  return observation;
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const auto fields = nlohmann::json::parse(driver_json, nullptr, /*allow_exceptions=*/false);
  State state;
  state.set_imported(true);
  const auto name = fields.is_object() ? fields.find("MachineName") : fields.end();
  if (name != fields.end() && name->is_string()) state.set_imported_name(name->get<std::string>());
  if (!state.imported_name().empty()) return state;
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_INSTANCE_GONE,
                       "the imported config.json has no MachineName");
}

absl::StatusOr<Ref> FindByPath(const common::CallScope& call, VimClient& client,
                               absl::string_view folder, absl::string_view name) {
  DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
  const std::string path = absl::StrCat(
      folder, "/", absl::StrReplaceAll(name, {{"%", "%25"}, {"/", "%2f"}, {"\\", "%5c"}}));
  DM_ASSIGN_OR_RETURN(const XmlElement answer,
                      client.Read(call, service.search_index, "FindByInventoryPath",
                                  XmlLeaf("inventoryPath", absl::StripPrefix(path, "/"))));
  return RefOf(answer.Child("returnval"));
}

absl::StatusOr<std::optional<Properties>> FindVm(const common::CallScope& call, VimClient& client,
                                                 const MachineSpec& machine, const State& state) {
  if (state.imported()) return FindImported(call, client, machine, state);
  DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
  DM_ASSIGN_OR_RETURN(
      const XmlElement answer,
      client.Read(call, service.search_index, "FindByUuid",
                  absl::StrCat(XmlLeaf("uuid", machine.uid), XmlLeaf("vmSearch", "true"),
                               XmlLeaf("instanceUuid", "true"))));
  const Ref by_uuid = RefOf(answer.Child("returnval"));
  if (!by_uuid.empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Properties> vm,
                        LookIfOurs(call, client, by_uuid, machine.uid, /*by_name=*/false));
    if (vm.has_value()) return vm;
  }
  if (!state.vm().empty()) {
    return LookIfOurs(call, client, {"VirtualMachine", state.vm()}, machine.uid,
                      /*by_name=*/true);
  }
  if (state.folder().empty()) return std::nullopt;
  for (const std::string& name : {UidTag(machine.uid), machine.name}) {
    DM_ASSIGN_OR_RETURN(const Ref by_name, FindByPath(call, client, state.folder(), name));
    if (by_name.type != "VirtualMachine") continue;
    DM_ASSIGN_OR_RETURN(std::optional<Properties> vm,
                        LookIfOurs(call, client, by_name, machine.uid, /*by_name=*/true));
    if (vm.has_value()) return vm;
  }
  return std::nullopt;
}

absl::StatusOr<Properties> RequireVm(const common::CallScope& call, VimClient& client,
                                     const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  DM_ASSIGN_OR_RETURN(std::optional<Properties> vm, FindVm(call, client, machine, state));
  if (vm.has_value()) return *std::move(vm);
  return InstanceGone(absl::StrCat("vSphere has no virtual machine of machine ", machine.name));
}

absl::StatusOr<Properties> BringTo(const common::CallScope& call, VimClient& client,
                                   const MachineSpec& machine, absl::string_view power,
                                   absl::string_view method, absl::Duration grace) {
  DM_ASSIGN_OR_RETURN(const Properties found, RequireVm(call, client, machine));
  bool asked = false;
  DM_ASSIGN_OR_RETURN(
      std::optional<Properties> there,
      client.AwaitProperties<Properties>(
          call, found.ref, LookPaths(), absl::Now() + grace,
          [&](const Properties& vm) -> absl::StatusOr<std::optional<Properties>> {
            if (vm.Text("runtime.powerState") == power) return vm;
            if (asked) return std::nullopt;
            const bool task = absl::EndsWith(method, "_Task");
            const absl::Status status = task ? client.RunTask(call, vm.ref, method, "").status()
                                             : client.Call(call, vm.ref, method, "").status();
            // It changed meanwhile, or may have: the next look tells whether to ask again.
            if (FaultOf(status) == "InvalidPowerState" || IsTransient(status)) return std::nullopt;
            if (FaultOf(status) == "ToolsUnavailable") {
              return common::Error(
                  absl::StatusCode::kFailedPrecondition,
                  machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                  absl::StrCat(
                      "machine ", machine.name,
                      " cannot be asked: no VMware Tools run in it; kill it if it must be"));
            }
            DM_RETURN_IF_ERROR(status);
            asked = true;
            return std::nullopt;
          }));
  if (there.has_value()) return *std::move(there);
  return common::Error(absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
                       absl::StrCat("machine ", machine.name, " is not ", power, " after ",
                                    absl::FormatDuration(grace),
                                    power == "poweredOff" ? "; kill it if it must be" : ""));
}

std::string IsoFolder(absl::string_view datastore, absl::string_view uid) {
  return absl::StrCat("[", datastore, "] ", UidTag(uid), "-iso");
}

absl::Status RemoveAll(const common::CallScope& call, VimClient& client, const Timing& timing,
                       const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const auto find = [&] { return FindVm(call, client, machine, state); };
  const bool unseen = state.create_requested() && state.vm().empty();
  for (int attempt = 1;; ++attempt) {
    DM_ASSIGN_OR_RETURN(
        const std::optional<Properties> vm,
        unseen&& attempt == 1 ? FindSettled<Properties>(call, timing.settling, find) : find());
    if (!vm.has_value()) break;
    absl::Status status;
    if (vm->Text("runtime.powerState") != "poweredOff") {
      status = client.RunTask(call, vm->ref, "PowerOffVM_Task", "").status();
    } else {
      status = client.RunTask(call, vm->ref, "Destroy_Task", "").status();
    }
    const bool passes = status.ok() || IsTransient(status) || absl::IsNotFound(status) ||
                        FaultOf(status) == "InvalidPowerState";
    if (!passes) return common::Annotate(status, "deleting virtual machine");
    if (!status.ok()) DM_RETURN_IF_ERROR(PauseBetweenLooks(call, timing.retry, attempt, status));
  }
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  if (settings.iso_url.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const Service service, client.ServiceContent(call));
  Settings where = settings;
  if (!state.datacenter().empty()) where.datacenter = state.datacenter();
  DM_ASSIGN_OR_RETURN(const Node datacenter, ChooseDatacenter(call, client, where));
  // Without a state the ISO may be in any of them.
  DM_ASSIGN_OR_RETURN(const std::vector<Properties> datastores,
                      client.RetrieveBelow(call, datacenter.ref, {{"Datastore", {"name"}}}));
  for (const Properties& datastore : datastores) {
    const std::string& name = datastore.Text("name");
    const bool other =
        !state.datastore().empty() && !absl::EndsWith(state.datastore(), absl::StrCat("/", name));
    if (other) continue;
    const absl::Status deleted =
        client
            .RunTask(call, service.file_manager, "DeleteDatastoreFile_Task",
                     absl::StrCat(XmlLeaf("name", IsoFolder(name, machine.uid)),
                                  RefXml("datacenter", datacenter.ref)))
            .status();
    if (!absl::IsNotFound(deleted)) {
      DM_RETURN_IF_ERROR(common::Annotate(deleted, "deleting ISO"));
    }
  }
  return absl::OkStatus();
}

}  // namespace machine::driver::vmwarevsphere
