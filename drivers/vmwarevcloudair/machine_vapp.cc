#include "drivers/vmwarevcloudair/machine_vapp.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::vmwarevcloudair {
namespace {

constexpr int kSwarmPort = 3376;

// https://developer.broadcom.com/xapis/vmware-cloud-director-api/latest/ (QueryResultVMRecord)
constexpr StateWord kStates[] = {
    {"POWERED_ON", machine::v1::MACHINE_STATE_RUNNING},
    {"POWERED_OFF", machine::v1::MACHINE_STATE_STOPPED},
    {"PARTIALLY_POWERED_OFF", machine::v1::MACHINE_STATE_STOPPED},
    {"SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
    {"PARTIALLY_SUSPENDED", machine::v1::MACHINE_STATE_SAVED},
    {"UNRESOLVED", machine::v1::MACHINE_STATE_STARTING},
    {"WAITING_FOR_INPUT", machine::v1::MACHINE_STATE_RUNNING},
    {"FAILED_CREATION", machine::v1::MACHINE_STATE_ERROR},
    {"INCONSISTENT_STATE", machine::v1::MACHINE_STATE_ERROR},
    {"UNRECOGNIZED", machine::v1::MACHINE_STATE_ERROR},
    {"DISCONNECTED", machine::v1::MACHINE_STATE_TIMEOUT},
    {"UNKNOWN", machine::v1::MACHINE_STATE_TIMEOUT},
};

Instance InstanceOf(const XmlElement& vm) {
  return {.vapp = vm.Attribute("container"),
          .vm = vm.Attribute("href"),
          .name = vm.Attribute("containerName"),
          .status = vm.Attribute("status"),
          .ip = vm.Attribute("ipAddress")};
}

absl::StatusOr<std::optional<Instance>> FindImported(const common::CallScope& call, VcdApi& api,
                                                     const std::string& url) {
  absl::StatusOr<XmlElement> vapp = api.Get(call, url);
  if (absl::IsNotFound(vapp.status())) return std::nullopt;
  if (!vapp.ok()) return vapp.status();
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> found,
                      ListInstancesNamed(call, api, vapp->Attribute("name")));
  for (const Instance& instance : found) {
    if (instance.vapp == url) return instance;
  }
  return std::nullopt;
}

// The vApp of the machine, where it has no virtual machine that a query shows yet.
absl::StatusOr<std::optional<Instance>> FindEmpty(const common::CallScope& call, VcdApi& api,
                                                  const std::string& tag) {
  DM_ASSIGN_OR_RETURN(const std::vector<XmlElement> records,
                      api.Query(call, "vApp", absl::StrCat("name==", tag)));
  if (records.empty()) return std::nullopt;
  const XmlElement& vapp = records.front();
  return Instance{.vapp = vapp.Attribute("href"),
                  .vm = "",
                  .name = vapp.Attribute("name"),
                  .status = vapp.Attribute("status"),
                  .ip = ""};
}

// Closes the gateway of the machine; each that there is, where the state that names it got lost.
absl::Status CloseGateways(const common::CallScope& call, VcdApi& api, const Timing& timing,
                           const MachineSpec& machine, const State& state) {
  std::vector<std::string> places;
  if (!state.gateway().empty()) {
    places.push_back(state.gateway());
  } else if (!machine.state.has_value()) {
    DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
    if (settings.public_ip.empty()) return absl::OkStatus();
    DM_ASSIGN_OR_RETURN(const std::vector<EdgeGatewayName> all, ListEdgeGateways(call, api));
    places.reserve(all.size());
    for (const EdgeGatewayName& each : all) places.push_back(each.place);
  }
  for (const std::string& place : places) {
    DM_RETURN_IF_ERROR(EdgeGatewayAt(api, timing.poll, place)->Close(call, UidTag(machine.uid)));
  }
  return absl::OkStatus();
}

}  // namespace

MachineState StateOfVm(absl::string_view status) { return StateOf(kStates, status); }

Observation ObservationOf(const Instance& instance, const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfVm(instance.status));
  observation.set_instance_id(instance.vapp.substr(instance.vapp.rfind('/') + 1));
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  if (!settings.public_ip.empty()) endpoint.add_ip_addresses(settings.public_ip);
  if (!instance.ip.empty()) endpoint.add_ip_addresses(instance.ip);
  endpoint.set_ssh_port(settings.ssh_port);
  endpoint.set_ssh_user(settings.ssh_user);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(
        absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", settings.docker_port));
  }
  return observation;
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const auto fields = nlohmann::json::parse(driver_json, nullptr, /*allow_exceptions=*/false);
  State state;
  state.set_imported(true);
  const auto id = fields.is_object() ? fields.find("VAppID") : fields.end();
  if (id != fields.end() && id->is_string()) state.set_vapp(id->get<std::string>());
  if (!state.vapp().empty()) return state;
  return common::Error(absl::StatusCode::kFailedPrecondition,
                       machine::v1::ERROR_REASON_INSTANCE_GONE,
                       "the imported config.json has no VAppID: no vApp was made");
}

absl::StatusOr<std::vector<Instance>> ListInstancesNamed(const common::CallScope& call, VcdApi& api,
                                                         absl::string_view pattern) {
  DM_ASSIGN_OR_RETURN(
      const std::vector<XmlElement> records,
      api.Query(call, "vm", absl::StrCat("isVAppTemplate==false;containerName==", pattern)));
  std::vector<Instance> instances;
  for (const XmlElement& record : records) instances.push_back(InstanceOf(record));
  return instances;
}

absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call, VcdApi& api,
                                                     const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (state.imported()) return FindImported(call, api, state.vapp());
  const std::string tag = UidTag(machine.uid);
  DM_ASSIGN_OR_RETURN(std::vector<Instance> found, ListInstancesNamed(call, api, tag));
  if (!found.empty()) return std::move(found.front());
  return FindEmpty(call, api, tag);
}

absl::StatusOr<Instance> RequireInstance(const common::CallScope& call, VcdApi& api,
                                         const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, FindInstance(call, api, machine));
  if (instance.has_value()) return *std::move(instance);
  return InstanceGone(absl::StrCat("Cloud Director has no vApp of machine ", machine.name));
}

PublicAccess AccessTo(const MachineSpec& machine, const Settings& settings) {
  // Each port once.
  std::set<int> ports = {settings.ssh_port, settings.docker_port};
  const bool spare = ports.insert(kSwarmPort).second;
  return {.tag = UidTag(machine.uid),
          .public_ip = settings.public_ip,
          .internal_ip = "",
          .ports = {ports.begin(), ports.end()},
          .spare_port = spare ? kSwarmPort : 0,
          .sources = settings.open_cidrs};
}

absl::StatusOr<Instance> BringTo(const common::CallScope& call, VcdApi& api, const Timing& timing,
                                 const MachineSpec& machine, absl::string_view status,
                                 absl::string_view action, absl::Duration grace) {
  const absl::Time until = absl::Now() + grace;
  bool asked = false;
  return Await<Instance>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(Instance instance, RequireInstance(call, api, machine));
    if (instance.status == status) return instance;
    if (absl::Now() >= until) {
      return common::Error(absl::StatusCode::kDeadlineExceeded,
                           machine::v1::ERROR_REASON_STEP_TIMEOUT,
                           absl::StrCat("machine ", machine.name, " is not ", status, " after ",
                                        absl::FormatDuration(grace),
                                        action == "shutdown" ? "; kill it if it must be" : ""));
    }
    if (asked) return std::nullopt;
    DM_RETURN_IF_ERROR(
        api.Run(call, "POST", absl::StrCat(instance.vapp, "/power/action/", action)));
    asked = true;
    return std::nullopt;
  });
}

absl::Status RemoveAll(const common::CallScope& call, VcdApi& api, const Timing& timing,
                       const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const auto find = [&] { return FindInstance(call, api, machine); };
  // Before its address may become another's.
  DM_RETURN_IF_ERROR(common::Annotate(CloseGateways(call, api, timing, machine, state),
                                      "removing rules of the edge gateway"));
  const bool unseen = state.create_requested() && state.vapp().empty();
  for (int attempt = 1;; ++attempt) {
    DM_ASSIGN_OR_RETURN(
        const std::optional<Instance> instance,
        unseen&& attempt == 1 ? FindSettled<Instance>(call, timing.settling, find) : find());
    if (!instance.has_value()) return absl::OkStatus();
    const absl::StatusOr<XmlElement> seen = api.Get(call, instance->vapp);
    if (absl::IsNotFound(seen.status())) {
      DM_RETURN_IF_ERROR(PauseBetweenLooks(call, timing.poll, attempt));
      continue;
    }
    if (!seen.ok()) return seen.status();
    const XmlElement& vapp = *seen;
    // One that is still being made can be deleted after that, however it ends.
    absl::Status idle = api.AwaitTasks(call, vapp);
    if (absl::IsCancelled(idle) || absl::IsDeadlineExceeded(idle)) return idle;
    absl::Status status;
    if (vapp.Attribute("deployed") == "true") {
      status = api.Run(call, "POST", absl::StrCat(instance->vapp, "/action/undeploy"),
                       {"vcloud.undeployVAppParams",
                        XmlNode("UndeployVAppParams", XmlLeaf("UndeployPowerAction", "powerOff"),
                                {{"xmlns", kVcloudNamespace}})});
    }
    if (status.ok()) status = api.Run(call, "DELETE", instance->vapp);
    if (!status.ok() && !IsTransient(status) && !absl::IsNotFound(status)) {
      return common::Annotate(status, "deleting vApp");
    }
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, timing.poll, attempt, status));
  }
}

}  // namespace machine::driver::vmwarevcloudair
