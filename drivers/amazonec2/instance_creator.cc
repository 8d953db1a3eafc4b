#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "drivers/amazonec2/catalog.h"
#include "drivers/amazonec2/machine_instance.h"
#include "drivers/sdk/cloud/choices.h"
#include "drivers/sdk/cloud/names.h"
#include "services/common/status/status.h"

namespace machine::driver::amazonec2 {
namespace {

constexpr int kMaxGenerations = 3;

bool HasEnded(const Instance& instance) {
  return instance.state == "terminated" || instance.state == "shutting-down";
}

// Calls `act` again while what it refers to, just made, is not known yet.
template <typename Function>
auto OnceKnown(const common::CallScope& call, const Settling& settling, Function act)
    -> decltype(act()) {
  for (int look = 1;; ++look) {
    auto result = act();
    const absl::Status status = [&] {
      if constexpr (std::is_same_v<decltype(result), absl::Status>) {
        return result;
      } else {
        return result.status();
      }
    }();
    if (!absl::IsNotFound(status) || look >= settling.looks) return result;
    DM_RETURN_IF_ERROR(PauseBetweenLooks(call, settling.backoff, look));
  }
}

}  // namespace

InstanceCreator::InstanceCreator(DriverCall& call, const Ec2Api& api, const Timing& timing,
                                 const MachineSpec& machine, const Settings& settings)
    : call_(call),
      api_(api),
      timing_(timing),
      machine_(machine),
      settings_(settings),
      name_(UidTag(machine.uid)) {}

absl::StatusOr<Observation> InstanceCreator::Run() {
  DM_RETURN_IF_ERROR(machine_.ParseState(state_));
  DM_RETURN_IF_ERROR(ChooseOnce());
  call_.Progress("Creating key pair...");
  DM_ASSIGN_OR_RETURN(const std::string key,
                      common::Annotate(EnsureKeyPair(), "creating key pair"));
  // Before the instance, so that it is never open to others.
  call_.Progress("Configuring security groups...");
  DM_ASSIGN_OR_RETURN(const std::vector<std::string> groups,
                      common::Annotate(EnsureGroups(), "configuring security groups"));
  call_.Progress("Launching instance...");
  DM_ASSIGN_OR_RETURN(Instance instance,
                      common::Annotate(EnsureInstance(key, groups), "launching instance"));
  state_.set_instance_id(instance.id);
  call_.Checkpoint(state_);
  call_.Progress("Waiting for the instance to run...");
  DM_ASSIGN_OR_RETURN(instance, AwaitRunning(instance.id));
  Observation observation = ObservationOf(instance, settings_);
  SetState(state_, observation);
  return observation;
}

Tags InstanceCreator::MachineTags() const {
  Tags tags = {{"Name", machine_.name},
               {std::string(kMachineTag), ""},
               {std::string(kUidKey), machine_.uid}};
  if (!call_.orchestrator_id().empty()) {
    tags.emplace_back(kOrchestratorKey, call_.orchestrator_id());
  }
  for (const auto& [key, value] : settings_.tags) {
    if (key == "Name") {
      tags.front().second = value;
    } else {
      tags.emplace_back(key, value);
    }
  }
  return tags;
}

absl::Status InstanceCreator::ChooseOnce() {
  if (!state_.image_id().empty()) return absl::OkStatus();
  DM_ASSIGN_OR_RETURN(Choice choice, Choose(call_, api_, settings_));
  state_.set_image_id(std::move(choice.image_id));
  state_.set_root_device(std::move(choice.root_device));
  state_.set_instance_type(std::move(choice.instance_type));
  state_.set_subnet_id(std::move(choice.subnet_id));
  state_.set_vpc_id(std::move(choice.vpc_id));
  return absl::OkStatus();
}

absl::StatusOr<std::string> InstanceCreator::EnsureKeyPair() {
  if (!settings_.key_pair.empty()) return settings_.key_pair;
  if (machine_.ssh_public_key.empty()) return std::string();
  const auto find = [&]() -> absl::StatusOr<std::optional<std::string>> {
    DM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                        api_.ListKeyPairs(call_, {{"key-name", {name_}}}));
    if (names.empty()) return std::nullopt;
    return names.front();
  };
  const auto create = [&]() -> absl::StatusOr<std::string> {
    const absl::Status status =
        api_.ImportKeyPair(call_, name_, machine_.ssh_public_key, MachineTags());
    // An earlier request made it, and lists do not show it yet.
    if (status.ok() || absl::IsAlreadyExists(status)) return name_;
    return status;
  };
  return AdoptOrCreate<std::string>(call_, find, create,
                                    [](const std::string&) { return absl::OkStatus(); });
}

absl::StatusOr<std::vector<std::string>> InstanceCreator::EnsureGroups() {
  DM_ASSIGN_OR_RETURN(std::vector<SecurityGroup> groups,
                      FindNamedGroups(call_, api_, settings_, state_.vpc_id()));
  const bool own = groups.empty();
  if (own) {
    DM_ASSIGN_OR_RETURN(SecurityGroup made, EnsureOwnGroup());
    groups.push_back(std::move(made));
  }
  std::vector<std::string> ids;
  for (const SecurityGroup& group : groups) {
    if (own || !settings_.groups_read_only) DM_RETURN_IF_ERROR(Open(group.id));
    ids.push_back(group.id);
  }
  return ids;
}

absl::StatusOr<SecurityGroup> InstanceCreator::EnsureOwnGroup() {
  const auto find = [&]() -> absl::StatusOr<std::optional<SecurityGroup>> {
    DM_ASSIGN_OR_RETURN(
        std::vector<SecurityGroup> groups,
        api_.ListGroups(call_, {{"group-name", {name_}}, {"vpc-id", {state_.vpc_id()}}}));
    if (groups.empty()) return std::nullopt;
    return std::move(groups.front());
  };
  bool asked = false;
  const auto look = [&]() -> absl::StatusOr<std::optional<SecurityGroup>> {
    // It is said to exist, and lists do not show it yet.
    return asked ? FindSettled<SecurityGroup>(call_, timing_.settling, find) : find();
  };
  const auto create = [&] {
    asked = true;
    return api_.CreateGroup(call_, name_, absl::StrCat("Docker machine ", machine_.name),
                            state_.vpc_id(), MachineTags());
  };
  return AdoptOrCreate<SecurityGroup>(call_, look, create,
                                      [](const SecurityGroup&) { return absl::OkStatus(); });
}

absl::Status InstanceCreator::Open(const std::string& group_id) {
  for (const std::string& cidr : settings_.open_cidrs) {
    for (const int port : {kSshPort, kEnginePort, kSwarmPort}) {
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(OnceKnown(call_, timing_.settling, [&] {
        return api_.Allow(call_, group_id, {.port = port, .cidr = cidr});
      }));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Instance> InstanceCreator::EnsureInstance(const std::string& key_name,
                                                         const std::vector<std::string>& groups) {
  InstanceSpec spec = {.image_id = state_.image_id(),
                       .type = state_.instance_type(),
                       .subnet_id = state_.subnet_id(),
                       .group_ids = groups,
                       .public_address = !settings_.private_address_only,
                       .key_name = key_name,
                       .user_data = settings_.user_data,
                       .device_name = state_.root_device(),
                       .root_size_gib = settings_.root_size_gib,
                       .volume_type = settings_.volume_type,
                       .iam_profile = settings_.iam_profile,
                       .monitoring = settings_.monitoring,
                       .ebs_optimized = settings_.ebs_optimized,
                       .metadata_tokens = settings_.metadata_tokens,
                       .spot = settings_.spot,
                       .spot_price = settings_.spot_price,
                       .tags = MachineTags()};
  const auto find = [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> found, FindMachine(call_, api_, machine_));
    if (!found.has_value() || HasEnded(*found)) return std::nullopt;
    return found;
  };
  return AdoptOrCreate<Instance>(
      call_, find, [&] { return RunInstance(std::move(spec)); },
      [&](const Instance& found) { return CheckSame(found); });
}

absl::StatusOr<Instance> InstanceCreator::RunInstance(InstanceSpec spec) {
  while (true) {
    // The same token brings the same instance, whether lists show it or not.
    spec.client_token = state_.generation() == 0
                            ? machine_.uid
                            : absl::StrCat(machine_.uid, "-", state_.generation());
    state_.set_create_requested(true);
    call_.Checkpoint(state_);
    DM_RETURN_IF_ERROR(call_.Check());
    DM_ASSIGN_OR_RETURN(Instance made, OnceKnown(call_, timing_.settling,
                                                 [&] { return api_.RunInstance(call_, spec); }));
    if (!HasEnded(made)) return made;
    if (state_.generation() >= kMaxGenerations) return EndedEarly(made);
    state_.set_generation(state_.generation() + 1);
  }
}

absl::Status InstanceCreator::CheckSame(const Instance& instance) const {
  if (!settings_.instance_type.empty() && instance.type != settings_.instance_type) {
    return InstanceDiffers(instance.id, absl::StrCat("its type is ", instance.type));
  }
  if (!settings_.ami.empty() && instance.image_id != settings_.ami) {
    return InstanceDiffers(instance.id, absl::StrCat("its image is ", instance.image_id));
  }
  if (!settings_.zone.empty() && instance.zone != settings_.region + settings_.zone) {
    return InstanceDiffers(instance.id, absl::StrCat("it is in zone ", instance.zone));
  }
  return absl::OkStatus();
}

absl::Status InstanceCreator::EndedEarly(const Instance& instance) {
  // The next attempt must not get this one again.
  state_.set_generation(state_.generation() + 1);
  state_.clear_instance_id();
  call_.Checkpoint(state_);
  return common::Error(
      absl::StatusCode::kFailedPrecondition, machine::v1::ERROR_REASON_HOST_COMMAND_FAILED,
      absl::StrCat("instance ", instance.id, " ended before it ran: ",
                   instance.state_reason.empty() ? "EC2 does not say why" : instance.state_reason));
}

absl::StatusOr<Instance> InstanceCreator::AwaitRunning(const std::string& id) {
  int unseen = 0;
  return Await<Instance>(call_, timing_.poll, [&]() -> absl::StatusOr<std::optional<Instance>> {
    DM_ASSIGN_OR_RETURN(std::optional<Instance> instance, api_.FindInstance(call_, id));
    if (!instance.has_value()) {
      // What was just made may take a while to show.
      if (++unseen < 2 * timing_.settling.looks) return std::nullopt;
      return InstanceGone(absl::StrCat("instance ", id, " is gone before it ran"));
    }
    if (HasEnded(*instance)) return EndedEarly(*instance);
    if (instance->state == "stopped") {
      DM_RETURN_IF_ERROR(call_.Check());
      DM_RETURN_IF_ERROR(api_.StartInstance(call_, id));
      return std::nullopt;
    }
    const bool has_address = settings_.private_address_only ? !instance->private_ip.empty()
                                                            : !instance->public_ip.empty();
    if (instance->state != "running" || !has_address) return std::nullopt;
    return instance;
  });
}

}  // namespace machine::driver::amazonec2
