#include "drivers/exoscale/machine_instance.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/exoscale/catalog.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::exoscale {
namespace {

// All words of the API's schema instance-state; the rest is UNSPECIFIED.
constexpr StateWord kStates[] = {
    {"starting", machine::v1::MACHINE_STATE_STARTING},
    {"running", machine::v1::MACHINE_STATE_RUNNING},
    // It runs on while it moves to another host.
    {"migrating", machine::v1::MACHINE_STATE_RUNNING},
    {"stopping", machine::v1::MACHINE_STATE_STOPPING},
    {"stopped", machine::v1::MACHINE_STATE_STOPPED},
    {"error", machine::v1::MACHINE_STATE_ERROR},
    {"destroying", machine::v1::MACHINE_STATE_REMOVING},
    {"destroyed", machine::v1::MACHINE_STATE_NOT_FOUND},
    {"expunging", machine::v1::MACHINE_STATE_NOT_FOUND},
};

// Of Exoscale's Ubuntu templates; imported machines do not say.
constexpr absl::string_view kUsualUser = "ubuntu";

// What is still in use, or may not be deleted by this key, stays.
absl::Status LeftOver(const absl::Status& deleted) {
  return IsTransient(deleted) ? deleted : absl::OkStatus();
}

absl::Status RemoveUnusedGroups(const common::CallScope& call, const ExoscaleApi& api,
                                const Settings& settings) {
  const auto is_named = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, api.ListSecurityGroups(call));
  DM_ASSIGN_OR_RETURN(const std::vector<Instance> instances, api.ListInstances(call));
  for (const SecurityGroup& group : groups) {
    if (group.description != kMadeByUs || !is_named(settings.security_groups, group.name)) continue;
    const bool used = std::any_of(instances.begin(), instances.end(), [&](const Instance& each) {
      return is_named(each.security_groups, group.id);
    });
    if (used) continue;
    DM_RETURN_IF_ERROR(call.Check());
    // Instances of other zones may use it: then Exoscale refuses.
    DM_RETURN_IF_ERROR(common::Annotate(LeftOver(api.DeleteSecurityGroup(call, group.id)),
                                        "deleting security group"));
  }
  if (settings.affinity_groups.empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(const std::vector<NamedObject> affinity, api.ListAffinityGroups(call));
  for (const NamedObject& group : affinity) {
    if (group.description != kMadeByUs || !is_named(settings.affinity_groups, group.name)) continue;
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(common::Annotate(LeftOver(api.DeleteAffinityGroup(call, group.id)),
                                        "deleting anti-affinity group"));
  }
  return absl::OkStatus();
}

}  // namespace

MachineState StateOfInstance(absl::string_view state) { return StateOf(kStates, state); }

Observation ObservationOf(const Instance& instance, const Settings& settings, const State& state,
                          absl::string_view lease) {
  Observation observation;
  observation.set_state(StateOfInstance(instance.state));
  observation.set_instance_id(instance.id);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  // The first one is the one to use.
  for (const absl::string_view address :
       {lease, absl::string_view(instance.public_ip), absl::string_view(instance.ipv6)}) {
    if (!address.empty()) endpoint.add_ip_addresses(std::string(address));
  }
  endpoint.set_ssh_port(22);
  endpoint.set_ssh_user(!settings.ssh_user.empty() ? settings.ssh_user
                        : state.ssh_user().empty() ? std::string(kUsualUser)
                                                   : state.ssh_user());
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", kEnginePort));
  }
  return observation;
}

absl::StatusOr<std::string> LeaseOf(const common::CallScope& call, const ExoscaleApi& api,
                                    const Settings& settings, absl::string_view instance_id) {
  if (!settings.private_address_only) return "";
  DM_ASSIGN_OR_RETURN(const NamedObject network, ChoosePrivateNetwork(call, api, settings));
  DM_ASSIGN_OR_RETURN(const auto leases, api.Leases(call, network.id));
  const auto lease = leases.find(std::string(instance_id));
  return lease == leases.end() ? "" : lease->second;
}

std::vector<Instance> InstancesOf(std::vector<Instance> all, absl::string_view uid,
                                  absl::string_view known_id) {
  std::erase_if(all, [&](const Instance& instance) { return instance.Label(kUidLabel) != uid; });
  // The same by every attempt; the one that is known before all others.
  std::sort(all.begin(), all.end(), [&](const Instance& a, const Instance& b) {
    const bool a_known = a.id == known_id;
    const bool b_known = b.id == known_id;
    return a_known != b_known ? a_known : a.id < b.id;
  });
  return all;
}

absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                     const ExoscaleApi& api,
                                                     const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (!state.instance_id().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> known, api.FindInstance(call, state.instance_id()));
    if (state.imported()) return known;
    if (known.has_value() && known->Label(kUidLabel) == machine.uid) return known;
  }
  DM_ASSIGN_OR_RETURN(std::vector<Instance> all, api.ListInstances(call));
  std::vector<Instance> ours = InstancesOf(std::move(all), machine.uid, state.instance_id());
  if (ours.empty()) return std::nullopt;
  return std::move(ours.front());
}

absl::Status RemoveAll(const common::CallScope& call, const ExoscaleApi& api, const Timing& timing,
                       const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  DM_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(machine.options));
  const auto list = [&]() -> absl::StatusOr<std::optional<std::vector<Instance>>> {
    DM_ASSIGN_OR_RETURN(std::vector<Instance> all, api.ListInstances(call));
    std::vector<Instance> ours = InstancesOf(std::move(all), machine.uid, state.instance_id());
    if (ours.empty()) return std::nullopt;
    return ours;
  };
  // One that was asked for and never seen may still appear.
  if (state.create_requested() && state.instance_id().empty()) {
    DM_RETURN_IF_ERROR(FindSettled<std::vector<Instance>>(call, timing.settling, list).status());
  }
  DM_RETURN_IF_ERROR(
      Await<bool>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<bool>> {
        std::vector<Instance> left;
        DM_ASSIGN_OR_RETURN(auto listed, list());
        if (listed.has_value()) left = *std::move(listed);
        if (left.empty() && !state.instance_id().empty()) {
          // Not by its id alone: the state might be that of another account.
          DM_ASSIGN_OR_RETURN(auto known, api.FindInstance(call, state.instance_id()));
          if (known.has_value() && (state.imported() || known->Label(kUidLabel) == machine.uid)) {
            left.push_back(*std::move(known));
          }
        }
        if (left.empty()) return true;
        for (const Instance& instance : left) {
          if (instance.state == "destroying") continue;
          DM_RETURN_IF_ERROR(call.Check());
          DM_RETURN_IF_ERROR(
              common::Annotate(api.DeleteInstance(call, instance.id), "deleting instance"));
        }
        return std::nullopt;
      }).status());
  const std::string key = state.imported() ? state.imported_key_name() : UidTag(machine.uid);
  if (!key.empty()) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(common::Annotate(api.DeleteSshKey(call, key), "deleting ssh key"));
  }
  return RemoveUnusedGroups(call, api, settings);
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const Json fields = ParseJson(driver_json);
  State state;
  state.set_imported(true);
  state.set_instance_id(Text(fields, "Id"));
  if (state.instance_id().empty()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_INSTANCE_GONE,
                         "the imported config.json has no Id: no instance was made");
  }
  state.set_ssh_user(Text(fields, "SSHUser"));
  // A key that the user gave stays.
  if (Text(fields, "SSHKey").empty()) state.set_imported_key_name(Text(fields, "KeyPair"));
  return state;
}

}  // namespace machine::driver::exoscale
