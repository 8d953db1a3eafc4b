#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/exoscale/catalog.h"
#include "drivers/exoscale/machine_instance.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::exoscale {
namespace {

// ssh, the engine, and swarm.
constexpr int64_t kOpenPorts[] = {22, kEnginePort, 3376};

bool Allows(const std::vector<Rule>& rules, int64_t port, absl::string_view cidr) {
  return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) {
    return rule.protocol == "tcp" && rule.first_port <= port && port <= rule.last_port &&
           rule.cidr == cidr;
  });
}

}  // namespace

InstanceCreator::InstanceCreator(DriverCall& call, const ExoscaleApi& api, const Timing& timing,
                                 const MachineSpec& machine, const Settings& settings)
    : call_(call),
      api_(api),
      timing_(timing),
      machine_(machine),
      settings_(settings),
      tag_(UidTag(machine.uid)) {}

absl::StatusOr<Observation> InstanceCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  DM_RETURN_IF_ERROR(Choose());
  InstanceSpec spec = {.name = HostName(machine_.name),
                       .type_id = type_.id,
                       .template_id = state_.template_id(),
                       .disk_gib = settings_.disk_gib,
                       .labels = settings_.labels,
                       .ipv6 = settings_.ipv6,
                       .public_address = !settings_.private_address_only,
                       .user_data = settings_.user_data};
  spec.labels[kUidLabel] = machine_.uid;
  if (!call_.orchestrator_id().empty()) spec.labels[kOrchestratorLabel] = call_.orchestrator_id();
  call_.Progress("Creating SSH key...");
  DM_ASSIGN_OR_RETURN(spec.ssh_keys, common::Annotate(EnsureKeys(), "creating ssh key"));
  // Before the instance, so that it is never without them. They guard public addresses alone.
  if (spec.public_address) {
    DM_ASSIGN_OR_RETURN(spec.security_groups,
                        common::Annotate(EnsureSecurityGroups(), "creating security group"));
  }
  DM_ASSIGN_OR_RETURN(spec.affinity_groups,
                      common::Annotate(EnsureAffinityGroups(), "creating anti-affinity group"));
  call_.Progress("Creating instance...");
  DM_ASSIGN_OR_RETURN(Instance instance,
                      common::Annotate(EnsureInstance(std::move(spec)), "creating instance"));
  state_.set_instance_id(instance.id);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for the instance to run...");
  DM_ASSIGN_OR_RETURN(instance, AwaitRunning(instance.id));
  DM_RETURN_IF_ERROR(KeepOne().status());
  DM_ASSIGN_OR_RETURN(const std::string lease,
                      common::Annotate(EnsureLease(instance.id), "attaching private network"));
  Observation observation =
      ObservationOf(instance, settings_, state_, settings_.private_address_only ? lease : "");
  SetState(state_, observation);
  return observation;
}

absl::Status InstanceCreator::Choose() {
  DM_ASSIGN_OR_RETURN(type_, ChooseType(call_, api_, settings_));
  if (!state_.template_id().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(Template chosen, ChooseTemplate(call_, api_, settings_));
  state_.set_template_id(std::move(chosen.id));
  state_.set_ssh_user(std::move(chosen.default_user));
  return absl::OkStatus();
}

absl::StatusOr<std::string> InstanceCreator::EnsureNamed(
    const std::string& name, absl::FunctionRef<absl::StatusOr<std::optional<std::string>>()> find,
    absl::FunctionRef<absl::Status()> create) {
  const auto make = [&]() -> absl::StatusOr<std::string> {
    DM_RETURN_IF_ERROR(create());
    // Its id is read from the list, which may lag.
    DM_ASSIGN_OR_RETURN(std::optional<std::string> made,
                        FindSettled<std::string>(call_, timing_.settling, find));
    if (made.has_value()) return *std::move(made);
    return absl::UnavailableError(absl::StrCat("Exoscale does not show ", name, " yet"));
  };
  return CreateOnce<std::string>(call_, timing_.settling, /*maybe_made=*/false, find, make,
                                 [](const std::string&) { return absl::OkStatus(); });
}

absl::StatusOr<std::vector<std::string>> InstanceCreator::EnsureKeys() {
  std::vector<std::string> names;
  if (!machine_.ssh_public_key.empty()) {
    const auto find = [&]() -> absl::StatusOr<std::optional<std::string>> {
      DM_ASSIGN_OR_RETURN(const std::vector<std::string> keys, api_.ListSshKeys(call_));
      if (std::find(keys.begin(), keys.end(), tag_) == keys.end()) return std::nullopt;
      return tag_;
    };
    const auto create = [&] { return api_.CreateSshKey(call_, tag_, machine_.ssh_public_key); };
    DM_ASSIGN_OR_RETURN(std::string name, EnsureNamed(tag_, find, create));
    names.push_back(std::move(name));
  }
  if (!settings_.key_name.empty()) names.push_back(settings_.key_name);
  return names;
}

absl::StatusOr<std::vector<std::string>> InstanceCreator::EnsureSecurityGroups() {
  std::vector<std::string> ids;
  for (const std::string& name : settings_.security_groups) {
    const auto find = [&]() -> absl::StatusOr<std::optional<std::string>> {
      DM_ASSIGN_OR_RETURN(const std::vector<SecurityGroup> groups, api_.ListSecurityGroups(call_));
      for (const SecurityGroup& group : groups) {
        if (group.name == name || group.id == name) return group.id;
      }
      return std::nullopt;
    };
    const auto create = [&] { return api_.CreateSecurityGroup(call_, name, kMadeByUs); };
    DM_ASSIGN_OR_RETURN(std::string id, EnsureNamed(name, find, create));
    DM_RETURN_IF_ERROR(EnsureRules(id));
    ids.push_back(std::move(id));
  }
  return ids;
}

absl::Status InstanceCreator::EnsureRules(const std::string& group_id) {
  DM_ASSIGN_OR_RETURN(const std::optional<SecurityGroup> group,
                      api_.FindSecurityGroup(call_, group_id));
  // Another create's group may have been deleted meanwhile; that passes.
  if (!group.has_value()) return absl::UnavailableError("the security group is gone");
  // The rules of a group that somebody else made are theirs.
  if (group->description != kMadeByUs) return absl::OkStatus();
  for (const std::string& cidr : settings_.open_cidrs) {
    for (const int64_t port : kOpenPorts) {
      if (Allows(group->rules, port, cidr)) continue;
      DM_RETURN_IF_ERROR(call_.Check());
      const absl::Status added =
          api_.AddRule(call_, group_id,
                       {.protocol = "tcp", .first_port = port, .last_port = port, .cidr = cidr});
      // Another create was faster.
      if (!absl::IsAlreadyExists(added)) DM_RETURN_IF_ERROR(added);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> InstanceCreator::EnsureAffinityGroups() {
  std::vector<std::string> ids;
  for (const std::string& name : settings_.affinity_groups) {
    const auto find = [&]() -> absl::StatusOr<std::optional<std::string>> {
      DM_ASSIGN_OR_RETURN(const std::vector<NamedObject> groups, api_.ListAffinityGroups(call_));
      for (const NamedObject& group : groups) {
        if (group.name == name || group.id == name) return group.id;
      }
      return std::nullopt;
    };
    const auto create = [&] { return api_.CreateAffinityGroup(call_, name, kMadeByUs); };
    DM_ASSIGN_OR_RETURN(std::string id, EnsureNamed(name, find, create));
    ids.push_back(std::move(id));
  }
  return ids;
}

absl::StatusOr<Instance> InstanceCreator::EnsureInstance(InstanceSpec spec) {
  if (!state_.instance_id().empty()) {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> known, FindInstance(call_, api_, machine_));
    if (known.has_value()) {
      DM_RETURN_IF_ERROR(CheckSame(*known));
      return *std::move(known);
    }
  }
  const bool maybe_made = state_.create_requested() || call_.attempt() > 1;
  state_.set_create_requested(true);
  call_.Checkpoint(state_);
  const auto create = [&]() -> absl::StatusOr<Instance> {
    const absl::StatusOr<Operation> operation = api_.CreateInstance(call_, spec);
    if (absl::IsNotFound(operation.status())) {
      // The last machine of a group took it along: the next attempt makes it anew.
      return absl::UnavailableError(operation.status().message());
    }
    if (!operation.ok()) return operation.status();
    operation_id_ = operation->id;
    return Instance{.id = operation->reference};
  };
  return CreateOnce<Instance>(
      call_, timing_.settling, maybe_made, [&] { return KeepOne(); }, create,
      [&](const Instance& found) { return CheckSame(found); });
}

absl::StatusOr<std::optional<Instance>> InstanceCreator::KeepOne() {
  DM_ASSIGN_OR_RETURN(std::vector<Instance> all, api_.ListInstances(call_));
  const std::vector<Instance> ours =
      InstancesOf(std::move(all), machine_.uid, state_.instance_id());
  if (ours.empty()) return std::nullopt;
  for (size_t i = 1; i < ours.size(); ++i) {
    DM_RETURN_IF_ERROR(call_.Check());
    DM_RETURN_IF_ERROR(api_.DeleteInstance(call_, ours[i].id));
  }
  return ours.front();
}

absl::Status InstanceCreator::CheckSame(const Instance& instance) const {
  if (instance.type_id != type_.id) {
    return InstanceDiffers(instance.id, absl::StrCat("it is not of type ", type_.Name()));
  }
  if (!settings_.image.empty() && instance.template_id != state_.template_id()) {
    return InstanceDiffers(instance.id, absl::StrCat("its template is ", instance.template_id));
  }
  return absl::OkStatus();
}

absl::Status InstanceCreator::WhyMissing() const {
  if (operation_id_.empty()) return absl::OkStatus();
  const absl::StatusOr<Operation> operation = api_.FindOperation(call_, operation_id_);
  return operation.ok() ? ResultOf(*operation) : absl::OkStatus();
}

absl::StatusOr<Instance> InstanceCreator::AwaitRunning(const std::string& id) {
  int unseen = 0;
  bool started = false;
  return Await<Instance>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, api_.FindInstance(call_, id));
    if (!instance.has_value()) {
      DM_RETURN_IF_ERROR(WhyMissing());
      // What was just made may take a while to show.
      if (++unseen < 2 * timing_.settling.looks) return std::nullopt;
      return InstanceGone(absl::StrCat("instance ", id, " is gone before it ran"));
    }
    const MachineState state = StateOfInstance(instance->state);
    if (state == machine::v1::MACHINE_STATE_ERROR) {
      DM_RETURN_IF_ERROR(WhyMissing());
      return absl::FailedPreconditionError(
          absl::StrCat("instance ", id, " has failed at Exoscale"));
    }
    if (state == machine::v1::MACHINE_STATE_STOPPED && !started) {
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(api_.Act(call_, id, "start").status());
      started = true;
    }
    const bool ready = state == machine::v1::MACHINE_STATE_RUNNING &&
                       (settings_.private_address_only || !instance->public_ip.empty());
    if (!ready) return std::nullopt;
    return instance;
  });
}

absl::StatusOr<std::string> InstanceCreator::EnsureLease(const std::string& instance_id) {
  if (settings_.private_network.empty()) return "";
  DM_ASSIGN_OR_RETURN(const NamedObject network, ChoosePrivateNetwork(call_, api_, settings_));
  bool attached = false;
  return Await<std::string>(
      call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<std::string>> {
        DM_ASSIGN_OR_RETURN(const auto leases, api_.Leases(call_, network.id));
        const auto lease = leases.find(instance_id);
        if (lease != leases.end() && !lease->second.empty()) return lease->second;
        if (attached) return std::nullopt;
        DM_RETURN_IF_ERROR(call_.Check());
        const absl::Status status = api_.Attach(call_, network.id, instance_id);
        // An earlier attempt did, and the lease follows.
        if (!absl::IsAlreadyExists(status)) DM_RETURN_IF_ERROR(status);
        attached = true;
        return std::nullopt;
      });
}

}  // namespace machine::driver::exoscale
