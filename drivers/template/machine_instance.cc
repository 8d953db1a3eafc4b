#include "drivers/template/machine_instance.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::template_cloud {
namespace {

// All words of the provider's documentation; the rest is UNSPECIFIED.
constexpr StateWord kStates[] = {
    {"building", machine::v1::MACHINE_STATE_STARTING},
    {"running", machine::v1::MACHINE_STATE_RUNNING},
    {"stopping", machine::v1::MACHINE_STATE_STOPPING},
    {"stopped", machine::v1::MACHINE_STATE_STOPPED},
};

}  // namespace

MachineState StateOfInstance(absl::string_view status) { return StateOf(kStates, status); }

Observation ObservationOf(const Instance& instance, const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfInstance(instance.status));
  observation.set_instance_id(instance.id);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  // The first one is the one to use.
  for (const std::string& address : instance.addresses) endpoint.add_ip_addresses(address);
  endpoint.set_ssh_port(22);
  endpoint.set_ssh_user(settings.ssh_user);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", kEnginePort));
  }
  return observation;
}

std::string UidOf(const Instance& instance) {
  for (const std::string& tag : instance.tags) {
    if (std::optional<std::string> uid = UidOfTag(tag); uid.has_value()) return *std::move(uid);
  }
  return "";
}

absl::StatusOr<std::optional<Instance>> FindInstance(const common::CallScope& call,
                                                     const TemplateApi& api,
                                                     const MachineSpec& machine) {
  const std::string tag = UidTag(machine.uid);
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (!state.instance_id().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> known, api.FindInstance(call, state.instance_id()));
    if (known.has_value() && known->HasTag(tag)) return known;
  }
  DM_ASSIGN_OR_RETURN(std::vector<Instance> instances, api.ListInstances(call, tag));
  if (instances.empty()) return std::nullopt;
  return *std::min_element(instances.begin(), instances.end(),
                           [](const Instance& a, const Instance& b) { return a.id < b.id; });
}

absl::Status RemoveAll(const common::CallScope& call, const TemplateApi& api, const Timing& timing,
                       const MachineSpec& machine) {
  const std::string tag = UidTag(machine.uid);
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const auto list = [&]() -> absl::StatusOr<std::optional<std::vector<Instance>>> {
    DM_ASSIGN_OR_RETURN(std::vector<Instance> instances, api.ListInstances(call, tag));
    if (instances.empty()) return std::nullopt;
    return instances;
  };
  // One that was asked for and never seen may still appear.
  if (state.create_requested() && state.instance_id().empty()) {
    DM_RETURN_IF_ERROR(FindSettled<std::vector<Instance>>(call, timing.settling, list).status());
  }
  if (!state.instance_id().empty()) {
    // Not by its id alone: the state might be that of another account.
    DM_ASSIGN_OR_RETURN(const std::optional<Instance> known,
                        api.FindInstance(call, state.instance_id()));
    if (known.has_value() && known->HasTag(tag)) {
      DM_RETURN_IF_ERROR(call.Check());
      DM_RETURN_IF_ERROR(
          common::Annotate(api.DeleteInstance(call, known->id), "deleting instance"));
    }
  }
  return Await<bool>(call, timing.poll,
                     [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_ASSIGN_OR_RETURN(const std::optional<std::vector<Instance>> left, list());
                       if (!left.has_value()) return true;
                       for (const Instance& instance : *left) {
                         DM_RETURN_IF_ERROR(call.Check());
                         DM_RETURN_IF_ERROR(common::Annotate(api.DeleteInstance(call, instance.id),
                                                             "deleting instance"));
                       }
                       return std::nullopt;
                     })
      .status();
}

}  // namespace machine::driver::template_cloud
