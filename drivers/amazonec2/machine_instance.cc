#include "drivers/amazonec2/machine_instance.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drivers/sdk/cloud/await.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html. An instance that
// ended shows for an hour more.
constexpr StateWord kStates[] = {
    {"pending", machine::v1::MACHINE_STATE_STARTING},
    {"running", machine::v1::MACHINE_STATE_RUNNING},
    {"stopping", machine::v1::MACHINE_STATE_STOPPING},
    {"stopped", machine::v1::MACHINE_STATE_STOPPED},
    {"shutting-down", machine::v1::MACHINE_STATE_REMOVING},
    {"terminated", machine::v1::MACHINE_STATE_NOT_FOUND},
};

// Interfaces of an ended instance leave its group a while later.
constexpr absl::Duration kGroupLimit = absl::Minutes(3);

absl::Status DidNotObey(const MachineSpec& machine, Power power, absl::Duration grace) {
  return common::Error(absl::StatusCode::kDeadlineExceeded, machine::v1::ERROR_REASON_STEP_TIMEOUT,
                       absl::StrCat("machine ", machine.name, " is not ",
                                    power == Power::kStart ? "running" : "stopped", " after ",
                                    absl::FormatDuration(grace),
                                    power == Power::kStop ? "; kill it if it must be" : ""));
}

// An action on an instance, asked for once, however often the waiting comes by.
class PendingPower {
 public:
  PendingPower(const common::CallScope& call, const Ec2Api& api, Power power)
      : call_(call), api_(api), power_(power) {}

  absl::string_view goal() const { return power_ == Power::kStart ? "running" : "stopped"; }

  absl::Status Advance(const Instance& instance) {
    if (asked_ || !MayAct(instance.state)) return absl::OkStatus();
    DM_RETURN_IF_ERROR(call_.Check());
    const absl::Status status =
        power_ == Power::kStart
            ? api_.StartInstance(call_, instance.id)
            : api_.StopInstance(call_, instance.id, power_ == Power::kForcedStop);
    asked_ = status.ok();
    if (AwsCodeOf(status) == "UnsupportedOperation" && instance.spot) {
      return common::Error(absl::StatusCode::kFailedPrecondition,
                           machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
                           "a spot instance cannot be stopped; it can be removed");
    }
    // It changed its state since it was looked at.
    return absl::IsAborted(status) ? absl::OkStatus() : status;
  }

 private:
  bool MayAct(absl::string_view state) const {
    if (power_ == Power::kStart) return state == "stopped";
    return state == "running" || (power_ == Power::kForcedStop && state == "stopping");
  }

  const common::CallScope& call_;
  const Ec2Api& api_;
  const Power power_;
  bool asked_ = false;
};

absl::Status DeleteInstances(const common::CallScope& call, const Ec2Api& api, const Timing& timing,
                             const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  const Filter uid = TagIs(kUidKey, machine.uid);
  const auto list = [&]() -> absl::StatusOr<std::optional<std::vector<Instance>>> {
    DM_ASSIGN_OR_RETURN(std::vector<Instance> instances,
                        api.ListInstances(call, {uid, NotTerminated()}));
    if (instances.empty()) return std::nullopt;
    return instances;
  };
  // One that was asked for and never seen may still appear.
  if (state.create_requested() && state.instance_id().empty()) {
    DM_RETURN_IF_ERROR(FindSettled<std::vector<Instance>>(call, timing.settling, list).status());
  }
  if (!state.instance_id().empty()) {
    // Lists by tag lag, the id does not.
    DM_ASSIGN_OR_RETURN(const std::optional<Instance> known,
                        api.FindInstance(call, state.instance_id()));
    const bool ours = known.has_value() && known->tags.contains(std::string(kUidKey)) &&
                      known->tags.at(std::string(kUidKey)) == machine.uid;
    if (ours && known->state != "terminated") {
      DM_RETURN_IF_ERROR(call.Check());
      DM_RETURN_IF_ERROR(api.TerminateInstance(call, known->id));
    }
  }
  return Await<bool>(call, timing.poll,
                     [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_ASSIGN_OR_RETURN(const std::optional<std::vector<Instance>> left, list());
                       if (!left.has_value()) return true;
                       for (const Instance& instance : *left) {
                         if (instance.state == "shutting-down") continue;
                         DM_RETURN_IF_ERROR(call.Check());
                         DM_RETURN_IF_ERROR(api.TerminateInstance(call, instance.id));
                       }
                       return std::nullopt;
                     })
      .status();
}

// Until the instance is gone its group cannot go, nor is it known that it will.
absl::Status AwaitTerminated(const common::CallScope& call, const Ec2Api& api, const Timing& timing,
                             const std::string& id) {
  return Await<bool>(call, timing.poll,
                     [&]() -> absl::StatusOr<std::optional<bool>> {
                       DM_ASSIGN_OR_RETURN(const std::optional<Instance> left,
                                           api.FindInstance(call, id));
                       if (left.has_value() && left->state != "terminated") return std::nullopt;
                       return true;
                     })
      .status();
}

// An instance of the original, and the key that it made. Its group may be that of others.
absl::Status RemoveImported(const common::CallScope& call, const Ec2Api& api, const Timing& timing,
                            const State& state) {
  DM_ASSIGN_OR_RETURN(const std::optional<Instance> known,
                      api.FindInstance(call, state.instance_id()));
  if (known.has_value() && known->state != "terminated") {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(
        common::Annotate(api.TerminateInstance(call, known->id), "terminating instance"));
    DM_RETURN_IF_ERROR(AwaitTerminated(call, api, timing, known->id));
  }
  if (state.imported_key_name().empty()) return absl::OkStatus();
  DM_RETURN_IF_ERROR(call.Check());
  return common::Annotate(api.DeleteKeyPair(call, state.imported_key_name()), "deleting key pair");
}

absl::Status CancelSpotRequests(const common::CallScope& call, const Ec2Api& api,
                                const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(
      const std::vector<std::string> requests,
      api.ListSpotRequests(call, {TagIs(kUidKey, machine.uid), {"state", {"open", "active"}}}));
  for (const std::string& id : requests) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(api.CancelSpotRequest(call, id));
  }
  return absl::OkStatus();
}

absl::Status DeleteVolumes(const common::CallScope& call, const Ec2Api& api,
                           const MachineSpec& machine) {
  // Disks of the image beside the root; those of the instance go with it.
  DM_ASSIGN_OR_RETURN(
      const std::vector<std::string> volumes,
      api.ListVolumes(call, {TagIs(kUidKey, machine.uid), {"status", {"available"}}}));
  for (const std::string& id : volumes) {
    DM_RETURN_IF_ERROR(call.Check());
    DM_RETURN_IF_ERROR(api.DeleteVolume(call, id));
  }
  return absl::OkStatus();
}

absl::Status DeleteKey(const common::CallScope& call, const Ec2Api& api,
                       const MachineSpec& machine) {
  DM_RETURN_IF_ERROR(call.Check());
  const std::string name = UidTag(machine.uid);
  const absl::Status status = api.DeleteKeyPair(call, name);
  if (!absl::IsPermissionDenied(status)) return status;
  // A policy that allows it by tag forbids to delete what is not there.
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      api.ListKeyPairs(call, {{"key-name", {name}}}));
  return names.empty() ? absl::OkStatus() : status;
}

absl::Status DeleteGroups(const common::CallScope& call, const Ec2Api& api, const Timing& timing,
                          const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups,
                      api.ListGroups(call, {{"group-name", {UidTag(machine.uid)}}}));
  const absl::Time deadline = absl::Now() + kGroupLimit;
  for (const SecurityGroup& group : groups) {
    DM_RETURN_IF_ERROR(Await<bool>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<bool>> {
                         DM_RETURN_IF_ERROR(call.Check());
                         const absl::Status status = api.DeleteGroup(call, group.id);
                         if (absl::IsAborted(status) && absl::Now() < deadline) return std::nullopt;
                         if (!status.ok()) return status;
                         return true;
                       }).status());
  }
  return absl::OkStatus();
}

}  // namespace

MachineState StateOfInstance(absl::string_view state) { return StateOf(kStates, state); }

Filter TagIs(absl::string_view key, absl::string_view value) {
  return {absl::StrCat("tag:", key), {std::string(value)}};
}

Filter NotTerminated() {
  return {"instance-state-name", {"pending", "running", "shutting-down", "stopping", "stopped"}};
}

Observation ObservationOf(const Instance& instance, const Settings& settings) {
  Observation observation;
  observation.set_state(StateOfInstance(instance.state));
  observation.set_instance_id(instance.id);
  machine::v1::Endpoint& endpoint = *observation.mutable_endpoint();
  const bool by_private = settings.private_address_only || settings.use_private_address;
  // The first one is the one to use.
  for (const std::string* const address :
       {by_private ? &instance.private_ip : &instance.public_ip,
        by_private ? &instance.public_ip : &instance.private_ip, &instance.ipv6}) {
    if (!address->empty()) endpoint.add_ip_addresses(*address);
  }
  endpoint.set_ssh_port(kSshPort);
  endpoint.set_ssh_user(settings.ssh_user);
  if (endpoint.ip_addresses().empty()) return observation;
  endpoint.set_ssh_host(endpoint.ip_addresses(0));
  if (observation.state() == machine::v1::MACHINE_STATE_RUNNING) {
    endpoint.set_docker_url(absl::StrCat("tcp://", endpoint.ip_addresses(0), ":", kEnginePort));
  }
  return observation;
}

absl::StatusOr<std::optional<Instance>> FindMachine(const common::CallScope& call,
                                                    const Ec2Api& api, const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (state.imported()) {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> known, api.FindInstance(call, state.instance_id()));
    if (known.has_value() && known->state == "terminated") return std::nullopt;
    return known;
  }
  DM_ASSIGN_OR_RETURN(std::vector<Instance> instances,
                      api.ListInstances(call, {TagIs(kUidKey, machine.uid), NotTerminated()}));
  if (instances.empty()) return std::nullopt;
  // One that lives before one that ends, the known one before others, and always the same.
  const auto rank = [&](const Instance& instance) {
    return std::tuple(instance.state == "shutting-down", instance.id != state.instance_id(),
                      absl::string_view(instance.id));
  };
  return *std::min_element(instances.begin(), instances.end(),
                           [&](const Instance& a, const Instance& b) { return rank(a) < rank(b); });
}

namespace {

// Why the machine's instance is gone, while EC2 still knows: for about an hour.
std::string WhyGone(const common::CallScope& call, const Ec2Api& api, const MachineSpec& machine) {
  State state;
  if (!machine.ParseState(state).ok() || state.instance_id().empty()) return "";
  const absl::StatusOr<std::optional<Instance>> found = api.FindInstance(call, state.instance_id());
  if (!found.ok() || !found->has_value()) return "";
  const Instance& instance = **found;
  const auto uid = instance.tags.find(std::string(kUidKey));
  if (uid == instance.tags.end() || uid->second != machine.uid) return "";
  // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
  if (absl::StartsWith(instance.state_reason_code, "Server.SpotInstance")) {
    return absl::StrCat(": AWS has taken back the spot instance (", instance.state_reason_code,
                        "); remove the machine, and create it anew");
  }
  return instance.state_reason.empty() ? "" : absl::StrCat(": ", instance.state_reason);
}

}  // namespace

absl::StatusOr<Instance> RequireMachine(const common::CallScope& call, const Ec2Api& api,
                                        const MachineSpec& machine) {
  DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, FindMachine(call, api, machine));
  if (instance.has_value() && instance->state != "shutting-down") return *std::move(instance);
  return InstanceGone(
      absl::StrCat("EC2 has no instance of machine ", machine.name, WhyGone(call, api, machine)));
}

absl::StatusOr<Instance> BringTo(const common::CallScope& call, const Ec2Api& api,
                                 const Timing& timing, const MachineSpec& machine, Power power,
                                 absl::Duration grace) {
  PendingPower pending(call, api, power);
  const absl::Time deadline = absl::Now() + grace;
  return Await<Instance>(call, timing.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(Instance instance, RequireMachine(call, api, machine));
    if (instance.state == pending.goal()) return instance;
    const absl::Status asked = pending.Advance(instance);
    if (absl::Now() >= deadline) return DidNotObey(machine, power, grace);
    if (!asked.ok()) return asked;
    return std::nullopt;
  });
}

absl::Status RemoveAll(const common::CallScope& call, const Ec2Api& api, const Timing& timing,
                       const MachineSpec& machine) {
  State state;
  DM_RETURN_IF_ERROR(machine.ParseState(state));
  if (state.imported()) return RemoveImported(call, api, timing, state);
  DM_RETURN_IF_ERROR(
      common::Annotate(CancelSpotRequests(call, api, machine), "cancelling spot request"));
  DM_RETURN_IF_ERROR(
      common::Annotate(DeleteInstances(call, api, timing, machine), "terminating instance"));
  DM_RETURN_IF_ERROR(common::Annotate(DeleteVolumes(call, api, machine), "deleting volume"));
  DM_RETURN_IF_ERROR(common::Annotate(DeleteKey(call, api, machine), "deleting key pair"));
  return common::Annotate(DeleteGroups(call, api, timing, machine), "deleting security group");
}

absl::StatusOr<State> ImportedState(absl::string_view driver_json) {
  const auto fields = nlohmann::json::parse(driver_json, nullptr, /*allow_exceptions=*/false);
  const auto text = [&](const char* name) -> std::string {
    if (!fields.is_object()) return "";
    const auto it = fields.find(name);
    return it != fields.end() && it->is_string() ? it->get<std::string>() : "";
  };
  State state;
  state.set_imported(true);
  state.set_instance_id(text("InstanceId"));
  if (state.instance_id().empty()) {
    return common::Error(absl::StatusCode::kFailedPrecondition,
                         machine::v1::ERROR_REASON_INSTANCE_GONE,
                         "the imported config.json has no InstanceId: no instance was made");
  }
  // A key that the user named stays.
  const auto existing = fields.find("ExistingKey");
  if (existing == fields.end() || *existing != true) state.set_imported_key_name(text("KeyName"));
  return state;
}

}  // namespace machine::driver::amazonec2
